// A team of threads for a whole loop over time: started once, and stopped only by its own barrier.
// The threads are those of torch's OpenMP pool; its entry points are handed in, so that there is only one pool.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sched.h>

namespace {

struct Pool {  // the three entry points of OpenMP; null where there is none, and one thread does the work
  void (*parallel)(void (*)(void *), void *, unsigned, unsigned);
  int (*thread)();
  int (*threads)();
};

struct Member {  // one thread of a team
  int id, count;
  std::atomic<unsigned> *waiting;  // how many have arrived at the barrier, over all its uses; may wrap around
  unsigned turn = 0;               // how often this thread has passed it
};

// Wait for the whole team. Spins a bounded time, then gives the core away: there may be fewer cores than threads.
inline void barrier(Member &me) {
  if (me.count == 1) return;
  me.turn += 1;
  const unsigned all = me.turn * static_cast<unsigned>(me.count);
  me.waiting->fetch_add(1, std::memory_order_acq_rel);
  for (int spins = 0; static_cast<int>(me.waiting->load(std::memory_order_acquire) - all) < 0; ++spins) {
    if (spins < 4000) {
#if defined(__x86_64__) || defined(__i386__)
      __builtin_ia32_pause();
#endif
    } else {
      sched_yield();
    }
  }
}

// Numbers too small for full precision count as zero inside the team: they are many times slower.
struct FlushDenormals {
#if defined(__SSE__)
  unsigned before = __builtin_ia32_stmxcsr();
  FlushDenormals() { __builtin_ia32_ldmxcsr(before | 0x8040u); }
  ~FlushDenormals() { __builtin_ia32_ldmxcsr(before); }
#endif
};

template <class Job>
struct Start {
  Job *job;
  const Pool *pool;
  std::atomic<unsigned> waiting{0};
  static void enter(void *self) {
    Start &start = *static_cast<Start *>(self);
    const bool alone = start.pool == nullptr;
    Member me{alone ? 0 : start.pool->thread(), alone ? 1 : start.pool->threads(), &start.waiting};
    FlushDenormals flush;
    start.job->work(me);
  }
};

// Run job.work(member) on `threads` threads.
template <class Job>
void run_team(Job &job, const Pool &pool, int64_t threads) {
  Start<Job> start{&job, &pool};
  if (threads > 1 && pool.parallel) {
    pool.parallel(Start<Job>::enter, &start, static_cast<unsigned>(threads), 0);
  } else {
    start.pool = nullptr;
    Start<Job>::enter(&start);
  }
}

// The part of `whole` things that one thread does: [first, last).
struct Share {
  int64_t first, last;
  explicit Share(int64_t whole) : first(0), last(whole) {}
  Share(int64_t whole, const Member &me) : first(whole * me.id / me.count), last(whole * (me.id + 1) / me.count) {}
};

}  // namespace
