// Status and Result<T>: how functions report expected failures across folders.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "common/check.h"

namespace voxbit {

enum class StatusCode {
  kOk = 0,
  kCancelled,           // the caller asked to stop
  kInvalidArgument,     // the input is wrong, whatever the state of the system
  kDeadlineExceeded,    // no answer in time
  kNotFound,            // the named thing does not exist
  kAlreadyExists,       // the name is taken
  kPermissionDenied,    // the operating system refused
  kResourceExhausted,   // disk full, memory, quota
  kFailedPrecondition,  // right input, wrong state
  kAborted,             // lost a race: stale lease, superseded call
  kUnavailable,         // a peer is away for now; the call may be repeated
  kDataLoss,            // stored or transferred data is damaged
  kInfeasible,          // the candidate cannot meet a constraint or cannot be computed
  kInternal,            // a defect of this program
};

// Upper-case name, e.g. "INVALID_ARGUMENT".
std::string_view StatusCodeName(StatusCode code);

// Success, or a code with a message for people and a stable reason for programs.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message, std::string reason = "")
      : code_(code), message_(std::move(message)), reason_(std::move(reason)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // Stable upper-case word such as LEASE_SUPERSEDED; "" where the code says enough.
  const std::string& reason() const { return reason_; }

  // The same status with `context` put before the message, as in "file.json: ...".
  Status Annotate(std::string_view context) const;
  // "INVALID_ARGUMENT: message"; "OK" on success.
  std::string ToString() const;

  friend bool operator==(const Status&, const Status&) = default;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
  std::string reason_;
};

std::ostream& operator<<(std::ostream& out, const Status& status);

inline Status OkStatus() { return {}; }
Status InvalidArgument(std::string message, std::string reason = "");
Status NotFound(std::string message, std::string reason = "");
Status AlreadyExists(std::string message, std::string reason = "");
Status FailedPrecondition(std::string message, std::string reason = "");
Status ResourceExhausted(std::string message, std::string reason = "");
Status Aborted(std::string message, std::string reason = "");
Status Unavailable(std::string message, std::string reason = "");
Status DataLoss(std::string message, std::string reason = "");
Status Cancelled(std::string message, std::string reason = "");
Status Infeasible(std::string message, std::string reason = "");
Status Internal(std::string message, std::string reason = "");
// Status for a failed system call: ENOENT, EACCES/EROFS, ENOSPC/EFBIG/EDQUOT, and what a moment
// later may not be so (EAGAIN, EMFILE, ENOMEM: UNAVAILABLE) have codes of their own; the message is
// "<what>: <strerror>".
Status FromErrno(int error, std::string_view what);

// A value, or the status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    VOXBIT_CHECK(!status_.ok(), "a Result without a value needs an error");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  const T& value() const& {
    VOXBIT_CHECK(ok(), status_.ToString());
    return *value_;
  }
  T& value() & {
    VOXBIT_CHECK(ok(), status_.ToString());
    return *value_;
  }
  // By value, so that `for (x : F().value())` keeps what it walks over alive.
  T value() && {
    VOXBIT_CHECK(ok(), status_.ToString());
    return *std::move(value_);
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace voxbit

// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot be put in parentheses.

// Each use has a name of its own, so that uses may nest inside lambdas.
#define VOXBIT_RETURN_IF_ERROR(expression) \
  VOXBIT_RETURN_IF_ERROR_(VOXBIT_CONCAT_(voxbit_status_, __LINE__), expression)
#define VOXBIT_RETURN_IF_ERROR_(status, expression)                          \
  do {                                                                       \
    if (::voxbit::Status status = (expression); !status.ok()) return status; \
  } while (false)

#define VOXBIT_CONCAT_INNER_(a, b) a##b
#define VOXBIT_CONCAT_(a, b) VOXBIT_CONCAT_INNER_(a, b)
// VOXBIT_ASSIGN_OR_RETURN(auto x, F()): x = value of F(), or return its status.
#define VOXBIT_ASSIGN_OR_RETURN(declaration, expression) \
  VOXBIT_ASSIGN_OR_RETURN_(VOXBIT_CONCAT_(voxbit_result_, __LINE__), declaration, expression)
#define VOXBIT_ASSIGN_OR_RETURN_(result, declaration, expression) \
  auto result = (expression);                                     \
  if (!result.ok()) return result.status();                       \
  declaration = std::move(result).value()

// NOLINTEND(bugprone-macro-parentheses)
