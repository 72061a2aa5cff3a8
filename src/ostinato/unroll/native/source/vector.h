// One vector register of numbers, and the functions of the equations' table over it.
//
// Every generated source starts with this text. It needs no header, only GCC (10 or later) or Clang, and
// -ffp-contract=fast, never -ffast-math: NaN, the infinities and the order of roundings all count here.
//
//   real      float, or double under OSTINATO_DOUBLE
//   V, M      VL numbers side by side; VL whole numbers, all bits set where a comparison holds
//   set       one number in every lane
//   load<N>   the first N lanes from memory, zero in the others; never reads past N. store<N> likewise
//   sum<N>    of the first N lanes. max<N> too, NaN if one of them is
//   f_…       the rows of the functions table. Comparisons are worth 1 or 0
//
// In float32, exp, log, tanh, sigmoid and what is built on them are at most 4 units in the last place from the true
// value (tests/unroll/native/test_vector.py holds each to its own bound); results below the smallest normal number
// may be zero, as silu's may below 10⁻³⁵. Their coefficients are minimax fits of relative error, rounded to float one
// at a time from the lowest, each time with the others fitted again. In float64 they are libm's, lane by lane.

namespace {

#ifdef OSTINATO_DOUBLE
typedef double real;
#define OSTINATO_SUFFIX "pd"
#else
typedef float real;
#define OSTINATO_SUFFIX "ps"
#endif

#if defined(__AVX512F__)
#define OSTINATO_BYTES 64
#elif defined(__AVX__)
#define OSTINATO_BYTES 32
#else
#define OSTINATO_BYTES 16  // SSE2, NEON; elsewhere the compiler makes scalars of it
#endif

typedef real V __attribute__((vector_size(OSTINATO_BYTES)));
typedef decltype(V() < V()) M;
constexpr int VL = sizeof(V) / sizeof(real);

#define OSTINATO_INLINE static inline __attribute__((always_inline, unused))

OSTINATO_INLINE V set(real a) { return a - V{}; }

// ---- memory

#if defined(__AVX512F__) && !defined(__SANITIZE_ADDRESS__)
#ifdef OSTINATO_DOUBLE
typedef unsigned char Lanes;
#else
typedef unsigned short Lanes;
#endif
#define OSTINATO_MASKED 1
#endif

template <int N>
OSTINATO_INLINE V load(const real* from) {
  static_assert(1 <= N && N <= VL, "a load takes 1 to VL lanes");
  V v = {};
#ifdef OSTINATO_MASKED
  if constexpr (N < VL) {
    typedef struct { real lane[N]; } Part;
    asm("vmovu" OSTINATO_SUFFIX " %1, %0%{%2%}%{z%}" : "=v"(v) : "m"(*(const Part*)from), "Yk"((Lanes)((1u << N) - 1)));
    return v;
  }
#endif
  __builtin_memcpy(&v, from, N * sizeof(real));
  return v;
}

template <int N>
OSTINATO_INLINE void store(real* to, V v) {
  static_assert(1 <= N && N <= VL, "a store takes 1 to VL lanes");
#ifdef OSTINATO_MASKED
  if constexpr (N < VL) {
    typedef struct { real lane[N]; } Part;
    asm("vmovu" OSTINATO_SUFFIX " %1, %0%{%2%}" : "+m"(*(Part*)to) : "v"(v), "Yk"((Lanes)((1u << N) - 1)));
    return;
  }
#endif
  __builtin_memcpy(to, &v, N * sizeof(real));
}

// ---- clamps: c < x ? c : x and c > x ? c : x, so that a NaN in x stays. One instruction, which compilers miss

OSTINATO_INLINE V at_most(V c, V x) {
#if defined(__AVX__)
  asm("vmin" OSTINATO_SUFFIX " %2, %1, %0" : "=v"(c) : "v"(c), "v"(x));
  return c;
#elif defined(__SSE2__)
  asm("min" OSTINATO_SUFFIX " %1, %0" : "+x"(c) : "x"(x));
  return c;
#else
  return c < x ? c : x;
#endif
}

OSTINATO_INLINE V at_least(V c, V x) {
#if defined(__AVX__)
  asm("vmax" OSTINATO_SUFFIX " %2, %1, %0" : "=v"(c) : "v"(c), "v"(x));
  return c;
#elif defined(__SSE2__)
  asm("max" OSTINATO_SUFFIX " %1, %0" : "+x"(c) : "x"(x));
  return c;
#else
  return c > x ? c : x;
#endif
}

// ---- arithmetic, comparisons, choices

OSTINATO_INLINE V truth(M m) { return m ? set(1) : V{}; }

OSTINATO_INLINE V f_add(V a, V b) { return a + b; }
OSTINATO_INLINE V f_sub(V a, V b) { return a - b; }
OSTINATO_INLINE V f_mul(V a, V b) { return a * b; }
OSTINATO_INLINE V f_div(V a, V b) { return a / b; }
OSTINATO_INLINE V f_neg(V a) { return -a; }
OSTINATO_INLINE V f_gt(V a, V b) { return truth(a > b); }
OSTINATO_INLINE V f_ge(V a, V b) { return truth(a >= b); }
OSTINATO_INLINE V f_lt(V a, V b) { return truth(a < b); }
OSTINATO_INLINE V f_le(V a, V b) { return truth(a <= b); }
OSTINATO_INLINE V f_where(V c, V a, V b) { return c != 0 ? a : b; }
OSTINATO_INLINE V f_sign(V a) { return truth(a > 0) - truth(a < 0); }
OSTINATO_INLINE V f_maximum(V a, V b) { return ((a < b) | (b != b)) ? b : a; }
OSTINATO_INLINE V f_minimum(V a, V b) { return ((a > b) | (b != b)) ? b : a; }
OSTINATO_INLINE V f_clip_gradient(V a, V) { return a; }
OSTINATO_INLINE V f_abs(V a) { return (V)((M)a & ~(M)set(-0.0)); }
OSTINATO_INLINE V f_relu(V a) { return at_least(V{}, a); }
OSTINATO_INLINE V f_hard_tanh(V a) { return at_most(set(1), at_least(set(-1), a)); }
OSTINATO_INLINE V f_hard_sigmoid(V a) { return at_most(set(6), at_least(V{}, a + 3)) * (real(1) / 6); }
OSTINATO_INLINE V f_softsign(V a) { return a / (1 + f_abs(a)); }

// ---- one number from many

template <int N>
OSTINATO_INLINE V first(V v, real otherwise) {
  if constexpr (N == VL) return v;
  M lane;
  for (int i = 0; i < VL; i++) lane[i] = i;
  return lane < N ? v : set(otherwise);
}

template <class W, class F>
OSTINATO_INLINE real fold(W w, F f) {
  constexpr int lanes = sizeof(W) / sizeof(real);
  if constexpr (lanes == 2) {
    return f(w[0], w[1]);
  } else {
    typedef real Half __attribute__((vector_size(sizeof(W) / 2)));
    struct { Half low, high; } halves;
    __builtin_memcpy(&halves, &w, sizeof(W));
    return fold(f(halves.low, halves.high), f);
  }
}

template <int N>
OSTINATO_INLINE real sum(V v) {
  return fold(first<N>(v, 0), [](auto a, auto b) { return a + b; });
}

template <int N>
OSTINATO_INLINE real max(V v) {
  return fold(first<N>(v, -__builtin_inf()), [](auto a, auto b) { return ((a < b) | (b != b)) ? b : a; });
}

// ---- functions that libm works out lane by lane

#ifdef OSTINATO_DOUBLE
#define OSTINATO_LIBM(name) __builtin_##name
#else
#define OSTINATO_LIBM(name) __builtin_##name##f
#endif

template <class F>
OSTINATO_INLINE V lanes(F f) {
  V y;
  for (int i = 0; i < VL; i++) y[i] = f(i);
  return y;
}

OSTINATO_INLINE V f_sqrt(V a) {
  return lanes([=](int i) { return OSTINATO_LIBM(sqrt)(a[i]); });
}
OSTINATO_INLINE V f_sin(V a) {
  return lanes([=](int i) { return OSTINATO_LIBM(sin)(a[i]); });
}
OSTINATO_INLINE V f_cos(V a) {
  return lanes([=](int i) { return OSTINATO_LIBM(cos)(a[i]); });
}
OSTINATO_INLINE V f_pow(V a, V b) {
  return lanes([=](int i) { return OSTINATO_LIBM(pow)(a[i], b[i]); });
}

#ifdef OSTINATO_DOUBLE

OSTINATO_INLINE V f_exp(V a) {
  return lanes([=](int i) { return __builtin_exp(a[i]); });
}
OSTINATO_INLINE V f_log(V a) {
  return lanes([=](int i) { return __builtin_log(a[i]); });
}
OSTINATO_INLINE V f_tanh(V a) {
  return lanes([=](int i) { return __builtin_tanh(a[i]); });
}
OSTINATO_INLINE V f_sigmoid(V a) { return 1 / (1 + f_exp(-a)); }
OSTINATO_INLINE V f_silu(V a) { return a / (1 + f_exp(-a)); }
OSTINATO_INLINE V f_softplus(V a) {
  V e = f_exp(-f_abs(a));
  return at_least(V{}, a) + lanes([=](int i) { return __builtin_log1p(e[i]); });
}
OSTINATO_INLINE V f_elu(V a) {
  V e = at_most(V{}, a);
  return a > 0 ? a : lanes([=](int i) { return __builtin_expm1(e[i]); });
}

#else

// ---- exp and its family: with n near x / ln 2 and r = x - n ln 2, exp(x) = 2ⁿ exp(r)

constexpr float LOG2_E = 0x1.715476p+0f;
constexpr float LN2_HIGH = 0x1.62e4p-1f, LN2_LOW = 0x1.7f7d1cp-20f;  // HIGH has 15 bits: n LN2_HIGH is exact
constexpr float ROUNDS = 0x1.8p+23f;  // adding it leaves a whole number in the low bits of the sum

struct Reduced {
  V r;
  M n;  // in its low 9 bits
};

OSTINATO_INLINE Reduced reduce(V x) {
  V shifted = x * LOG2_E + ROUNDS;
  V n = shifted - ROUNDS;
  return {(x - n * LN2_HIGH) - n * LN2_LOW, (M)shifted};
}

// 2ⁿ for n from -127 (worth 0) to 128 (worth infinity)
OSTINATO_INLINE V power_of_two(Reduced t) { return (V)((t.n + 127) << 23); }

OSTINATO_INLINE V expm1_between(V a) {  // a from -87 to 88, or NaN
  Reduced t = reduce(a);
  V p = t.r * 0x1.6b9c68p-10f + 0x1.12254ap-7f;  // |r| <= ln 2 / 2, error 0.23 × 2⁻²⁴
  p = p * t.r + 0x1.5556f2p-5f;
  p = p * t.r + 0x1.5554b4p-3f;
  p = p * t.r + 0x1.fffffep-2f;
  p = p * t.r + 1;
  V scale = power_of_two(t);
  return (p * t.r) * scale + (scale - 1);
}

#if defined(__AVX512F__)

// A register holds a table of sixteen numbers here: n counts sixteenths, a cubic does for the rest, and one
// instruction multiplies by 2 to the whole part of n. tanh is a table too. Against the polynomials below, a loop over
// numbers near at hand takes 8.4 cycles a register instead of 9.8 for exp, 10.5 instead of 13.8 for sigmoid and 11.1
// instead of 14.7 for tanh (Zen 4, where a division is as fast as an estimate of 1 / x and a Newton step).

struct Sixteenths {
  V p, t, n;  // exp(x) = p t 2^⌊n⌋
};

alignas(64) constexpr float SIXTEENTHS[16] = {
    0x1.000000p+0f, 0x1.0b5586p+0f, 0x1.172b84p+0f, 0x1.2387a6p+0f,
    0x1.306fe0p+0f, 0x1.3dea64p+0f, 0x1.4bfdaep+0f, 0x1.5ab07ep+0f,
    0x1.6a09e6p+0f, 0x1.7a1148p+0f, 0x1.8ace54p+0f, 0x1.9c4918p+0f,
    0x1.ae89fap+0f, 0x1.c199bep+0f, 0x1.d5818ep+0f, 0x1.ea4afap+0f};

// tanh(0.296875 j)
alignas(64) constexpr float TANH[32] = {
    0x0.000000p+0f, 0x1.275f7ep-2f, 0x1.10af48p-1f, 0x1.6c643ep-1f,
    0x1.a8dbccp-1f, 0x1.cdf83ap-1f, 0x1.e3c0b0p-1f, 0x1.f0348cp-1f,
    0x1.f73776p-1f, 0x1.fb2174p-1f, 0x1.fd4e20p-1f, 0x1.fe8290p-1f,
    0x1.ff2d36p-1f, 0x1.ff8b8ep-1f, 0x1.ffbfaep-1f, 0x1.ffdc7ap-1f,
    0x1.ffec62p-1f, 0x1.fff52ap-1f, 0x1.fffa04p-1f, 0x1.fffcb2p-1f,
    0x1.fffe2cp-1f, 0x1.fffefep-1f, 0x1.ffff72p-1f, 0x1.ffffb2p-1f,
    0x1.ffffd4p-1f, 0x1.ffffe8p-1f, 0x1.fffff2p-1f, 0x1.fffff8p-1f,
    0x1.fffffcp-1f, 0x1.fffffep-1f, 0x1.fffffep-1f, 0x1.000000p+0f};

OSTINATO_INLINE V look_up(const float* sixteen, M index) {  // by the low 4 bits of index
  V y;
  asm("vpermps %2, %1, %0" : "=v"(y) : "v"(index), "v"(load<16>(sixteen)));
  return y;
}

OSTINATO_INLINE V look_up_32(const float* table, M index) {  // by the low 5 bits
  asm("vpermi2ps %2, %1, %0" : "+v"(index) : "v"(load<16>(table)), "v"(load<16>(table + 16)));
  return (V)index;
}

OSTINATO_INLINE V times_power_of_two(V a, V n) {
  asm("vscalefps %1, %0, %0" : "+v"(a) : "v"(n));
  return a;
}

template <int S>  // S x is what it takes the exponential of
OSTINATO_INLINE Sixteenths sixteenths(V x) {
  V shifted = x * (S * LOG2_E) + ROUNDS / 16;
  V n = shifted - ROUNDS / 16;
  V r = (x - n * (S * LN2_HIGH)) - n * (S * LN2_LOW);
  V p = r * (S * 0x1.55559ap-3f) + 0x1.000220p-1f;  // |r| <= ln 2 / 32, error 0.03 × 2⁻²⁴
  p = p * r + float(S);
  return {p * r + 1, look_up(SIXTEENTHS, (M)shifted), n};
}

OSTINATO_INLINE V f_exp(V a) {
  Sixteenths e = sixteenths<1>(at_most(set(89), at_least(set(-104), a)));
  return times_power_of_two(e.p * e.t, e.n);
}

OSTINATO_INLINE V one_plus_exp_minus(V a) {
  Sixteenths e = sixteenths<-1>(at_most(set(88), at_least(set(-90), a)));
  return e.p * times_power_of_two(e.t, e.n) + 1;
}

OSTINATO_INLINE V f_tanh(V a) {  // tanh(b + r) = (tanh b + tanh r) / (1 + tanh b tanh r), of |a|
  V x = at_most(set(31 * 0.296875f), f_abs(a));
  V shifted = x * (1 / 0.296875f) + ROUNDS;
  V r = x - (shifted - ROUNDS) * 0.296875f;
  V s = r * r;
  V t = (s * 0x1.0db244p-3f - 0x1.555264p-2f) * (r * s) + r;  // |r| <= 0.15, error 0.37 × 2⁻²⁴
  V b = look_up_32(TANH, (M)shifted);
  return (V)((M)((b + t) / (b * t + 1)) | ((M)a & (M)set(-0.0)));
}

#else

OSTINATO_INLINE V exp_of(V r) {  // |r| <= ln 2 / 2, error 0.05 × 2⁻²⁴
  V p = r * 0x1.6a4d60p-10f + 0x1.12398ep-7f;
  p = p * r + 0x1.5558b0p-5f;
  p = p * r + 0x1.555492p-3f;
  p = p * r + 0x1.fffffcp-2f;
  p = p * r + 1;
  return p * r + 1;
}

OSTINATO_INLINE V f_exp(V a) {
  Reduced t = reduce(a);
  V y = (V)((M)exp_of(t.r) + (t.n << 23));
  y = a > 0x1.62e42ep+6f ? set(__builtin_inff()) : y;
  y = a < -0x1.5d589ep+6f ? V{} : y;
  return a == a ? y : a;
}

OSTINATO_INLINE V one_plus_exp_minus(V a) {  // infinity from 2¹²⁷·⁵ on, 1 at the other end
  Reduced t = reduce(-at_most(set(87.9f), at_least(set(-88.7f), a)));
  return exp_of(t.r) * power_of_two(t) + 1;
}

OSTINATO_INLINE V f_tanh(V a) {
  V e = expm1_between(2 * at_most(set(10), at_least(set(-10), a)));
  return e / (e + 2);
}

#endif

OSTINATO_INLINE V f_sigmoid(V a) { return 1 / one_plus_exp_minus(a); }
OSTINATO_INLINE V f_silu(V a) { return a / one_plus_exp_minus(a); }
OSTINATO_INLINE V f_elu(V a) { return a > 0 ? a : expm1_between(at_least(set(-30), at_most(V{}, a))); }

// ---- log and log1p

OSTINATO_INLINE V log1p_of(V f) {  // from -1/4 to 1/2, error 0.08 × 2⁻²⁴
  V p = f * -0x1.71bc20p-5f + 0x1.ace4c4p-4f;
  p = p * f - 0x1.0d99b2p-3f;
  p = p * f + 0x1.288260p-3f;
  p = p * f - 0x1.54eddep-3f;
  p = p * f + 0x1.99698ap-3f;
  p = p * f - 0x1.000048p-2f;
  p = p * f + 0x1.5555a4p-2f;
  p = p * f - 0.5f;
  return p * (f * f) + f;
}

OSTINATO_INLINE V f_log(V a) {  // a = 2ⁿ (1 + f), 1 + f from 3/4 to 3/2
#if defined(__AVX512F__)
  V n, m, least;  // of 0, infinity, NaN and numbers below 0 the instructions make what log makes of them
  asm("vgetmantps $11, %1, %0" : "=v"(m) : "v"(a));
  asm("vgetexpps %1, %0" : "=v"(n) : "v"(a));
  asm("vgetexpps %1, %0" : "=v"(least) : "v"(m));
  n = n - least;
  return n * LN2_HIGH + (n * LN2_LOW + log1p_of(m - 1));
#else
  constexpr int three_quarters = 0x3f400000;  // its bits
  M small = a < 0x1p-126f;
  V x = small ? a * 0x1p+23f : a;
  M bits = (M)x - three_quarters;
  V n = __builtin_convertvector(bits >> 23, V) - (small ? set(23) : V{});
  V f = (V)((bits & 0x7fffff) + three_quarters) - 1;
  V y = n * LN2_HIGH + (n * LN2_LOW + log1p_of(f));
  y = a < __builtin_inff() ? y : a;
  y = a < 0 ? set(__builtin_nanf("")) : y;
  return a == 0 ? set(-__builtin_inff()) : y;
#endif
}

OSTINATO_INLINE V f_softplus(V a) {  // max(a, 0) + log1p(u), u = exp(-|a|)
  V u = f_exp(-f_abs(a));
  M large = u > 0.5f;
  V y = log1p_of(large ? (u - 1) * 0.5f : u);  // 1 + u = 2 (1 + (u - 1) / 2)
  return at_least(V{}, a) + (large ? y + 0x1.62e430p-1f : y);
}

#endif

}  // namespace
