// Products over all rows of all steps at once: inputs with their weights before the loop, and the gradients after it.

namespace {

constexpr int64_t DEPTH = 256;     // terms that are summed in registers before the sum goes to memory
constexpr int64_t TOGETHER = 4;    // groups of rows that take turns at one block of a matrix while it is near

// out[n][size] = operand[n][depth] times a packed matrix, plus bias where there is one.
struct Multiply {
  int64_t rows, depth, size, across;  // across: whether the matrix is [depth][size] rather than [size][depth]
  const real *operand;
  int64_t stride;
  const real *matrix, *bias;
  real *out, *memory;  // the packed matrix, then for each thread a few rows of the operand

  static constexpr int64_t ROOM = TOGETHER * MAX_ROWS * (DEPTH + SPREAD);
  static int64_t needed(int64_t depth, int64_t size, int64_t threads) { return packed(size, depth) + threads * ROOM; }

  void work(Member &me) {
    const Share panels(blocks(size), me);
    (across ? pack_columns : pack_rows)(matrix, size, depth, memory, panels.first, panels.last);
    barrier(me);
    real *const near = memory + packed(size, depth) + me.id * ROOM;
    const Share mine(rows, me);
    const Groups groups(mine.last - mine.first);
    alignas(64) real sums[MAX_ROWS * UNITS];
    for (int64_t some = 0; some < groups.count; some += TOGETHER) {
      const int64_t end = some + TOGETHER < groups.count ? some + TOGETHER : groups.count;
      const int64_t first = mine.first + groups.start(some), last = mine.first + groups.start(end);
      for (int64_t k = 0; k < depth; k += DEPTH) {
        const int64_t deep = depth - k < DEPTH ? depth - k : DEPTH;
        copy_rows(operand + first * stride + k, stride, last - first, deep, near);
        for (int64_t block = 0; block < blocks(size); ++block) {
          const int64_t u = block * UNITS, units = size - u < UNITS ? size - u : UNITS;
          for (int64_t group = some; group < end; ++group) {
            const int64_t row = mine.first + groups.start(group), count = groups.rows(group);
            const real *const panel = memory + block * UNITS * depth + k * UNITS;
            const Term terms[] = {{near + (row - first) * (deep + SPREAD), deep + SPREAD, panel, deep}};
            product(count, units, terms, 1, sums);
            for (int64_t r = 0; r < count; ++r) finish(sums + r * UNITS, out + (row + r) * size + u, u, units, k > 0);
          }
        }
      }
    }
  }

  void finish(const real *from, real *to, int64_t u, int64_t units, bool adds) const {
    if (units == UNITS) {
      for (int64_t v = 0; v < UNITS; v += VL) {
        const V before = adds ? load<VL>(to + v) : bias ? load<VL>(bias + u + v) : V{};
        store<VL>(to + v, load<VL>(from + v) + before);
      }
    } else {
      for (int64_t v = 0; v < units; ++v) to[v] = from[v] + (adds ? to[v] : bias ? bias[u + v] : 0);
    }
  }
};

// to[m][k] += sum over n of left[n][m] times right[n][k]. The first rows of `right` may stand elsewhere: a state before
// each step is the state it starts from, and then the states after each step but the last.
struct Gradient {
  int64_t rows, width, size;  // n, m, k
  const real *left;
  int64_t left_stride;
  const real *right;
  int64_t right_stride;
  const real *first;
  int64_t first_rows;  // as wide apart as `right`
  real *to;

  static int64_t needed(int64_t size) { return (blocks(size) * UNITS + MAX_ROWS) * DEPTH; }

  void work(const Member &me, real *memory) const {
    const int64_t all = (width + MAX_ROWS - 1) / MAX_ROWS;
    const Share mine(all, me);
    real *columns = memory, *numbers = columns + blocks(size) * UNITS * DEPTH;
    for (int64_t n = 0; n < rows; n += DEPTH) {
      const int64_t depth = rows - n < DEPTH ? rows - n : DEPTH;
      for (int64_t block = 0; block < blocks(size); ++block) gather(n, depth, block, columns + block * UNITS * depth);
      for (int64_t group = mine.first; group < mine.last; ++group) {
        const int64_t m = group * MAX_ROWS, count = width - m < MAX_ROWS ? width - m : MAX_ROWS;
        const real *from = left + n * left_stride + m;
        for (int64_t k = 0; k < depth; ++k, from += left_stride) {
          if (count == MAX_ROWS) {
            std::memcpy(numbers + k * MAX_ROWS, from, MAX_ROWS * sizeof(real));
          } else {
            for (int64_t r = 0; r < MAX_ROWS; ++r) numbers[k * MAX_ROWS + r] = r < count ? from[r] : 0;
          }
        }
        for (int64_t block = 0; block < blocks(size); ++block)
          add(numbers, columns + block * UNITS * depth, depth, m, count, block * UNITS);
      }
    }
  }

  void gather(int64_t n, int64_t depth, int64_t block, real *panel) const {
    const int64_t u = block * UNITS, have = size - u < UNITS ? size - u : UNITS;
    for (int64_t k = 0; k < depth; ++k) {
      const int64_t row = n + k;
      const real *start = row < first_rows ? first + row * right_stride : right + (row - first_rows) * right_stride;
      const real *from = start + u;
      if (have == UNITS) {
        for (int64_t v = 0; v < UNITS; v += VL) store<VL>(panel + k * UNITS + v, load<VL>(from + v));
      } else {
        for (int64_t v = 0; v < UNITS; ++v) panel[k * UNITS + v] = v < have ? from[v] : 0;
      }
    }
  }

  __attribute__((noinline)) void add(const real *numbers, const real *panel, int64_t depth, int64_t m, int64_t count,
                                     int64_t u) const {
    V sums[MAX_ROWS][2];
    for (int r = 0; r < MAX_ROWS; ++r) sums[r][0] = sums[r][1] = V{};
    for (int64_t k = 0; k < depth; ++k, numbers += MAX_ROWS, panel += UNITS) {
      const V low = load<VL>(panel), high = load<VL>(panel + VL);
#pragma GCC unroll 16
      for (int r = 0; r < MAX_ROWS; ++r) {
        const V number = set(numbers[r]);
        sums[r][0] += number * low;
        sums[r][1] += number * high;
      }
    }
    const bool whole = u + UNITS <= size;
    for (int r = 0; r < count; ++r) {
      real *at = to + (m + r) * size + u;
      for (int c = 0; c < 2; ++c, at += VL) {
        if (whole) {
          store<VL>(at, load<VL>(at) + sums[r][c]);
        } else {
          for (int64_t v = 0; v < VL && u + c * VL + v < size; ++v) at[v] += sums[r][c][v];
        }
      }
    }
  }
};

struct Gradients {  // several, by one team
  int64_t count;
  const Gradient *jobs;
  real *memory;
  int64_t room;  // numbers of `memory` for each thread

  void work(Member &me) {
    for (int64_t k = 0; k < count; ++k) jobs[k].work(me, memory + me.id * room);
  }
};

}  // namespace

#define OSTINATO_EXPORT extern "C" __attribute__((visibility("default")))
OSTINATO_EXPORT int64_t multiply_needs(int64_t depth, int64_t size, int64_t threads) {
  return Multiply::needed(depth, size, threads);
}
OSTINATO_EXPORT int64_t gradient_needs(int64_t size) { return Gradient::needed(size); }
OSTINATO_EXPORT void multiply(const Multiply *job, const Pool *pool, int64_t threads) {
  Multiply copy = *job;
  run_team(copy, *pool, threads);
}
OSTINATO_EXPORT void gradients(const Gradients *job, const Pool *pool, int64_t threads) {
  Gradients copy = *job;
  run_team(copy, *pool, threads);
}
