// std::mutex with the annotations that clang's thread-safety analysis reads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define VOXBIT_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define VOXBIT_THREAD_ANNOTATION(x)
#endif

#define CAPABILITY(x) VOXBIT_THREAD_ANNOTATION(capability(x))
#define SCOPED_CAPABILITY VOXBIT_THREAD_ANNOTATION(scoped_lockable)
#define GUARDED_BY(x) VOXBIT_THREAD_ANNOTATION(guarded_by(x))
#define REQUIRES(...) VOXBIT_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) VOXBIT_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) VOXBIT_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define EXCLUDES(...) VOXBIT_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS VOXBIT_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace voxbit {

class CAPABILITY("mutex") Mutex {
 public:
  void Lock() ACQUIRE() { mutex_.lock(); }
  void Unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

class CondVar {
 public:
  void Wait(Mutex& mutex) REQUIRES(mutex) NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False when `span` passed without a notification.
  bool WaitFor(Mutex& mutex, std::chrono::milliseconds span)
      REQUIRES(mutex) NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool notified = condition_.wait_for(lock, span) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace voxbit
