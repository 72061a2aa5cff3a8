// The product of a few rows with a packed matrix: sums stay in registers, a block of columns at a time.

namespace {

constexpr int64_t UNITS = 2 * VL;  // columns of a block
#if defined(__AVX512F__) || defined(__ARM_NEON)
constexpr int MAX_ROWS = 14;  // 14 x 2 sums, two columns of the matrix, one number of a row: 31 of 32 registers
#else
constexpr int MAX_ROWS = 6;  // of 16 registers
#endif

// Under OSTINATO_BFLOAT16, where the machine multiplies such numbers, both sides of a product are bfloat16, two of them
// in the place of one number; sums stay float32. A place of a row or a matrix is then called a part.
#if defined(OSTINATO_BFLOAT16) && defined(__AVX512BF16__)
constexpr bool NARROW = true;
inline V add_product(V sum, V a, V b) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}
#else
constexpr bool NARROW = false;
inline V add_product(V sum, V a, V b) { return sum + a * b; }
#endif

constexpr int64_t parts(int64_t depth) { return NARROW ? (depth + 1) / 2 : depth; }

inline uint32_t narrow(real number) {  // to bfloat16, to the nearest, ties to even
  float single = static_cast<float>(number);
  uint32_t bits;
  std::memcpy(&bits, &single, 4);
  if (single != single) return (bits >> 16) | 0x40;
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

inline real part(real first, real second) {  // one part: a number, or two narrow ones
  if (!NARROW) return first;
  const uint32_t both = narrow(first) | narrow(second) << 16;
  real made = 0;
  std::memcpy(&made, &both, 4);
  return made;
}

struct Term {         // one operand and the matrix it meets
  const real *rows;   // first row of the operand
  int64_t stride;     // numbers from one row to the next
  const real *panel;  // the block of the matrix, [depth][UNITS]
  int64_t depth;      // in parts
};

constexpr int64_t blocks(int64_t size) { return (size + UNITS - 1) / UNITS; }
constexpr int64_t packed(int64_t size, int64_t depth) { return blocks(size) * UNITS * parts(depth); }

// out[row][UNITS] = sum over terms of rows * panel, for R rows and C vectors of columns. A sum can take its next term
// only every fourth cycle, so that few rows keep several sums of each number.
template <int R, int C>
__attribute__((noinline)) void tile(const Term *terms, int count, real *out) {
  constexpr int PARTS = R == 1 ? 4 : R < 4 ? 2 : 1;
  V sums[PARTS][R][C];
  for (int part = 0; part < PARTS; ++part)
    for (int r = 0; r < R; ++r)
      for (int c = 0; c < C; ++c) sums[part][r][c] = set(0);
  for (int n = 0; n < count; ++n) {
    const Term t = terms[n];
    const real *a = t.rows, *b = t.panel;
    int64_t k = 0;
    for (; k + PARTS <= t.depth; k += PARTS, b += PARTS * UNITS) {
#pragma GCC unroll 4
      for (int part = 0; part < PARTS; ++part) {
        V column[C];
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) column[c] = load<VL>(b + part * UNITS + c * VL);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          const V number = set(a[r * t.stride + k + part]);
#pragma GCC unroll 4
          for (int c = 0; c < C; ++c) sums[part][r][c] = add_product(sums[part][r][c], number, column[c]);
        }
      }
    }
    if constexpr (PARTS > 1) {
      for (; k < t.depth; ++k, b += UNITS)
        for (int r = 0; r < R; ++r)
          for (int c = 0; c < C; ++c)
            sums[0][r][c] = add_product(sums[0][r][c], set(a[r * t.stride + k]), load<VL>(b + c * VL));
    }
  }
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) {
      V sum = sums[0][r][c];
      for (int part = 1; part < PARTS; ++part) sum += sums[part][r][c];
      store<VL>(out + r * UNITS + c * VL, sum);
    }
}

template <int R>
inline void tiles(int rows, bool wide, const Term *terms, int count, real *out) {
  if constexpr (R > 0) {
    if (rows < R) return tiles<R - 1>(rows, wide, terms, count, out);
    wide ? tile<R, 2>(terms, count, out) : tile<R, 1>(terms, count, out);
  }
}

// As `tile`, for up to MAX_ROWS rows; `units` columns are wanted of the block.
inline void product(int64_t rows, int64_t units, const Term *terms, int count, real *out) {
  tiles<MAX_ROWS>(static_cast<int>(rows), units > VL, terms, count, out);
}

// Rows are taken in groups of nearly equal size, so that no group is left with one or two.
struct Groups {
  int64_t count, size, larger;
  explicit Groups(int64_t rows) : count((rows + MAX_ROWS - 1) / MAX_ROWS) {
    size = count ? rows / count : 0;
    larger = count ? rows % count : 0;
  }
  int64_t start(int64_t group) const { return group * size + (group < larger ? group : larger); }
  int64_t rows(int64_t group) const { return size + (group < larger); }
};

// Rows whose starts are a multiple of 1024 bytes apart push each other out of the nearest cache: they are copied first.
// Narrow ones are always copied, since the copy is what makes them narrow.
constexpr int64_t SPREAD = 16;  // numbers between the ends of copied rows
inline bool crowded(int64_t stride) { return stride * int64_t(sizeof(real)) % 1024 == 0; }

inline void copy_rows(const real *from, int64_t stride, int64_t rows, int64_t depth, real *to) {
  for (int64_t r = 0; r < rows; ++r, from += stride, to += parts(depth) + SPREAD) {
    if (!NARROW) {
      std::memcpy(to, from, depth * sizeof(real));
    } else {
      for (int64_t k = 0; k < depth / 2; ++k) to[k] = part(from[2 * k], from[2 * k + 1]);
      if (depth % 2) to[depth / 2] = part(from[depth - 1], 0);
    }
  }
}

// Blocks [first, last) of a matrix [size][depth] whose rows meet the operand: to[block][k][unit] = matrix[unit][k].
inline void pack_rows(const real *matrix, int64_t size, int64_t depth, real *to, int64_t first, int64_t last) {
  for (int64_t block = first; block < last; ++block) {
    real *panel = to + block * UNITS * parts(depth);
    for (int64_t v = 0; v < UNITS; v += VL) {
      const int64_t unit = block * UNITS + v;
      const int64_t have = size - unit < 0 ? 0 : size - unit < VL ? size - unit : VL;
      for (int64_t k = 0; k < parts(depth); ++k) {
        real column[VL] = {};
        for (int64_t u = 0; u < have; ++u) {
          const real *row = matrix + (unit + u) * depth;
          column[u] = !NARROW ? row[k] : part(row[2 * k], 2 * k + 1 < depth ? row[2 * k + 1] : 0);
        }
        store<VL>(panel + k * UNITS + v, load<VL>(column));
      }
    }
  }
}

// The same where columns meet the operand: to[block][k][unit] = matrix[k][unit], matrix [depth][size].
inline void pack_columns(const real *matrix, int64_t size, int64_t depth, real *to, int64_t first, int64_t last) {
  for (int64_t block = first; block < last; ++block) {
    const int64_t unit = block * UNITS, have = size - unit < UNITS ? size - unit : UNITS;
    real *panel = to + block * UNITS * parts(depth);
    for (int64_t k = 0; k < parts(depth); ++k, panel += UNITS) {
      const real *row = matrix + (NARROW ? 2 * k : k) * size + unit;
      if (!NARROW) {
        std::memcpy(panel, row, have * sizeof(real));
      } else {
        for (int64_t u = 0; u < have; ++u) panel[u] = part(row[u], 2 * k + 1 < depth ? row[size + u] : 0);
      }
      std::memset(panel + have, 0, (UNITS - have) * sizeof(real));
    }
  }
}

}  // namespace
