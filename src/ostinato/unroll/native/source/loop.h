// What all loops along time share: the arguments of a call, memory, which rows a thread minds, the order of a step.
// The printed part of a source adds its own arguments to `Call`, and its stages to `Thread`.

#define OSTINATO_MEMBER inline __attribute__((always_inline))
#define OSTINATO_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

struct Call {
  int64_t steps;          // how many
  int64_t batch;          // rows of the states
  int64_t by_rows;        // whether threads share out rows; else units
  const int64_t *rows;    // [steps] rows alive at each step, never growing
  const uint8_t *reset;   // [rows of all steps] whether a row starts anew; null where none does
  real *memory;           // numbers_needed() of them
  real *packed_matrices;  // packed_needed() of them
  int64_t pack;           // whether they are yet to be packed
};

// Hands out one piece of memory in parts that start at a multiple of 16 numbers. Without memory it only counts.
struct Memory {
  real *start;
  int64_t used = 0;
  real *take(int64_t count) {
    real *part = start ? start + used : nullptr;
    used += (count + 15) / 16 * 16;
    return part;
  }
};

// How much memory copies of rows take: each thread has its own, of its rows, or where units are shared of all rows.
constexpr int64_t copies(int64_t batch, int64_t threads, int64_t depth) {
  return (NARROW ? batch * threads : batch + threads) * (parts(depth) + SPREAD);
}

struct Operand {  // the rows of a product, where they are or copied to where they do not crowd the cache
  const real *rows;
  int64_t apart;  // numbers from one row to the next
  Term term(int64_t from, const real *matrix, int64_t block, int64_t depth) const {
    return {rows + from * apart, apart, matrix + block * UNITS * parts(depth), parts(depth)};
  }
};

template <int N>
OSTINATO_INLINE V load_if(const real *from, int64_t distance) {
  return from ? load<N>(from + distance) : V{};
}

// One thread on its way along time. Its rows are own, own + each, own + 2 each, …: all of them where units are shared.
// Rows that are all equally long are shared out in runs of neighbours, since what is fetched ahead of one row is the next;
// others in turns, so that each thread has long ones and short ones.
// Threads that share units wait for each other where a row must be complete. In a loop without products of what it
// makes, and without sums over a row, a unit meets no other: each thread goes through time with its own, and none waits.
struct Thread {
  const Call &call;
  Member &me;
  const bool by_rows, together;  // units are shared by threads that wait for each other
  const bool in_turns;
  const int64_t own, each, end;
  int64_t offset = 0;  // how many rows all earlier steps have
  int64_t alive = 0;   // how many rows of this step are the thread's

  Thread(const Call &call, Member &me, bool waits)
      : call(call), me(me), by_rows(call.by_rows), together(!by_rows && waits),
        in_turns(by_rows && call.steps > 0 && call.rows[0] != call.rows[call.steps - 1]),
        own(!by_rows   ? 0
            : in_turns ? me.id
                       : rows_of(0) * me.id / me.count),
        each(in_turns ? me.count : 1), end(by_rows && !in_turns ? rows_of(0) * (me.id + 1) / me.count : call.batch) {}

  int64_t mine(int64_t rows) const {
    const int64_t last = rows < end ? rows : end;
    return last > own ? (last - own + each - 1) / each : 0;
  }
  int64_t rows_of(int64_t step) const { return step < call.steps ? call.rows[step] : 0; }
  Share share(int64_t size) const { return by_rows ? Share(blocks(size)) : Share(blocks(size), me); }
  void complete_rows() const {  // wait for the other units' threads
    if (together) barrier(me);
  }

  // Do something for each row of this step from the thread's `first` on; threads that wait for each other share rows.
  template <class Do>
  void each_row(int64_t first, Do act) const {
    for (int64_t nth = first; nth < alive; ++nth) {
      const int64_t row = own + nth * each;
      if (!together || row % me.count == me.id) act(row);
    }
  }

  // Do something for each row [first, last) of the states.
  template <class Do>
  void each_of(int64_t first, int64_t last, Do act) const {
    const bool shared = by_rows || together;
    for (int64_t row = first + (shared ? me.id : 0); row < last; row += shared ? me.count : 1) act(row);
  }

  // The units of a row that are the thread's own, where it does something for each row.
  Share units(int64_t size) const {
    if (by_rows || together) return Share(size);
    Share found = share(size);
    found.first *= UNITS;
    found.last = found.last * UNITS < size ? found.last * UNITS : size;
    return found;
  }

  // Copy a row of one tensor to the same row of another; zeros where there is no tensor.
  void copy_row(real *to, const real *from, int64_t row, int64_t size) const {
    const Share own = units(size);
    const int64_t at = row * size + own.first, bytes = (own.last - own.first) * sizeof(real);
    if (bytes > 0 && from)
      std::memcpy(to + at, from + at, bytes);
    else if (bytes > 0)
      std::memset(to + at, 0, bytes);
  }

  // Add a row of one tensor to the same row of another, and leave zeros.
  void move_row(real *to, real *from, int64_t row, int64_t size) const {
    const Share own = units(size);
    for (int64_t at = row * size + own.first; at < row * size + own.last; ++at) {
      to[at] += from[at];
      from[at] = 0;
    }
  }

  bool is_reset(int64_t row) const { return call.reset[offset + row]; }
  bool any_reset() const {
    for (int64_t nth = 0; call.reset && nth < alive; ++nth)
      if (is_reset(own + nth * each)) return true;
    return false;
  }

  // The rows of a value from its `first` on, `width` apart; `near` has room for their copies.
  Operand operand(const real *first, int64_t width, int64_t depth, real *near) const {
    const Operand there{first + own * width, each * width};
    if (!NARROW && (!by_rows || alive < 2 || !crowded(there.apart))) return there;
    const int64_t most = by_rows ? (call.batch + me.count - 1) / me.count : call.batch, apart = parts(depth) + SPREAD;
    real *const copy = near + me.id * most * apart;
    copy_rows(there.rows, there.apart, alive, depth, copy);
    return {copy, apart};
  }

  template <class How>
  void pack(How how, const real *matrix, int64_t size, int64_t depth, real *to) const {
    const Share panels(blocks(size), me);
    how(matrix, size, depth, to, panels.first, panels.last);
  }

  // ---- single numbers of a row: each thread has all that it needs, at [thread][row]

  int64_t single(int64_t row) const { return me.id * call.batch + row; }
  bool is_first() const { return by_rows || me.id == 0; }  // of those that have this row

  // ---- sums over a row: a register for each thread and row, added up when all units are in

  real *part(real *parts, int64_t row) const { return parts + single(row) * VL; }
  void clear(real *parts, real start) const {
    for (int64_t nth = 0; nth < alive; ++nth) store<VL>(part(parts, own + nth * each), set(start));
  }
  template <bool LARGEST>
  real joined(const real *parts, int64_t row) const {
    V whole = load<VL>(parts + (by_rows ? single(row) : row) * VL);
    for (int64_t other = 1; !by_rows && other < me.count; ++other) {
      const V more = load<VL>(parts + (other * call.batch + row) * VL);
      whole = LARGEST ? f_maximum(whole, more) : whole + more;
    }
    return LARGEST ? ::max<VL>(whole) : ::sum<VL>(whole);
  }
  real sum_of(const real *parts, int64_t row) const { return joined<false>(parts, row); }
  real largest_of(const real *parts, int64_t row) const { return joined<true>(parts, row); }

  // ---- sums over rows and steps: each thread has its own, `apart` numbers from the next

  void add_up(const real *sums, int64_t size, int64_t apart, real *to) const {
    for (int64_t unit = me.id; unit < size; unit += me.count) {
      real total = 0;
      for (int64_t thread = 0; thread < me.count; ++thread) total += sums[thread * apart + unit];
      to[unit] = total;
    }
  }
};

// A printed loop has: pack_matrices(); go_to(step), to set its pointers; stages(); and for rows that start anew
// renew(row), to copy their states, and use_renewed(). The others are named where they are called.

template <class Loop>
void renew_rows(Loop &loop) {
  if (!loop.any_reset()) return;
  loop.each_row(0, [&](int64_t row) { loop.renew(row); });
  loop.use_renewed();
  loop.complete_rows();
}

template <class Loop>
void run_forward(Loop &loop) {
  const Call &call = loop.call;
  if (call.pack) loop.pack_matrices();
  loop.each_of(call.rows[0], call.batch, [&](int64_t row) { loop.skip(row); });
  barrier(loop.me);
  for (int64_t step = 0; step < call.steps; ++step) {
    loop.alive = loop.mine(call.rows[step]);
    if (loop.by_rows && !loop.alive) break;
    loop.go_to(step);
    renew_rows(loop);
    loop.stages();
    loop.each_row(loop.mine(loop.rows_of(step + 1)), [&](int64_t row) { loop.leave(row); });  // its last step
    loop.offset += call.rows[step];
  }
}

template <class Loop>
void run_backward(Loop &loop) {
  const Call &call = loop.call;
  if (call.pack) loop.pack_matrices();
  loop.clear_sums();
  barrier(loop.me);
  for (int64_t step = 0; step < call.steps; ++step) loop.offset += call.rows[step];
  for (int64_t step = call.steps - 1; step >= 0; --step) {
    loop.offset -= call.rows[step];
    loop.alive = loop.mine(call.rows[step]);
    if (loop.by_rows && !loop.alive) continue;
    loop.go_to(step);
    renew_rows(loop);
    const int64_t later = loop.rows_of(step + 1);
    loop.each_row(loop.mine(later), [&](int64_t row) { loop.enter(row); });  // this is its last step
    if (later < call.rows[step]) loop.complete_rows();
    loop.stages();
    if (!loop.any_reset()) continue;
    loop.each_row(0, [&](int64_t row) {  // gradients go to the initial state, none to the step before
      if (loop.is_reset(row)) loop.leave_initial(row);
    });
    loop.complete_rows();
  }
  barrier(loop.me);
  loop.each_of(0, call.batch, [&](int64_t row) { loop.leave(row, row < call.rows[0]); });
  loop.add_up_sums();
}

template <class Loop, class Panels, class Work, class Arguments>
void run_team_along_time(const Arguments &args, const Pool &pool, int64_t threads) {
  Memory packed{args.packed_matrices}, own{args.memory};
  const Panels panels(packed);
  const Work work(own, args.batch, threads);
  struct Job {
    const Arguments &args;
    const Panels &panels;
    const Work &memory;
    void work(Member &me) { Loop(args, panels, memory, me).run(); }
  } job{args, panels, work};
  run_team(job, pool, threads);
}

}  // namespace
