#include "common/status.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "common/text.h"

namespace voxbit {

void CheckFailed(const char* file, int line, const char* condition, std::string_view message) {
  std::fprintf(stderr, "%s:%d: invariant broken: %s: %s\n", file, line, condition,
               Printable(message).c_str());
  std::fflush(stderr);
  std::abort();
}

std::string_view StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "OK";
    case StatusCode::kCancelled:
      return "CANCELLED";
    case StatusCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case StatusCode::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case StatusCode::kNotFound:
      return "NOT_FOUND";
    case StatusCode::kAlreadyExists:
      return "ALREADY_EXISTS";
    case StatusCode::kPermissionDenied:
      return "PERMISSION_DENIED";
    case StatusCode::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case StatusCode::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case StatusCode::kAborted:
      return "ABORTED";
    case StatusCode::kUnavailable:
      return "UNAVAILABLE";
    case StatusCode::kDataLoss:
      return "DATA_LOSS";
    case StatusCode::kInfeasible:
      return "INFEASIBLE";
    case StatusCode::kInternal:
      return "INTERNAL";
  }
  return "UNKNOWN";
}

Status Status::Annotate(std::string_view context) const {
  if (ok()) return *this;
  return {code_, std::string(context) + ": " + message_, reason_};
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  return std::string(StatusCodeName(code_)) + ": " + message_;
}

std::ostream& operator<<(std::ostream& out, const Status& status) {
  return out << status.ToString();
}

Status InvalidArgument(std::string message, std::string reason) {
  return {StatusCode::kInvalidArgument, std::move(message), std::move(reason)};
}
Status NotFound(std::string message, std::string reason) {
  return {StatusCode::kNotFound, std::move(message), std::move(reason)};
}
Status AlreadyExists(std::string message, std::string reason) {
  return {StatusCode::kAlreadyExists, std::move(message), std::move(reason)};
}
Status FailedPrecondition(std::string message, std::string reason) {
  return {StatusCode::kFailedPrecondition, std::move(message), std::move(reason)};
}
Status ResourceExhausted(std::string message, std::string reason) {
  return {StatusCode::kResourceExhausted, std::move(message), std::move(reason)};
}
Status Aborted(std::string message, std::string reason) {
  return {StatusCode::kAborted, std::move(message), std::move(reason)};
}
Status Unavailable(std::string message, std::string reason) {
  return {StatusCode::kUnavailable, std::move(message), std::move(reason)};
}
Status DataLoss(std::string message, std::string reason) {
  return {StatusCode::kDataLoss, std::move(message), std::move(reason)};
}
Status Cancelled(std::string message, std::string reason) {
  return {StatusCode::kCancelled, std::move(message), std::move(reason)};
}
Status Infeasible(std::string message, std::string reason) {
  return {StatusCode::kInfeasible, std::move(message), std::move(reason)};
}
Status Internal(std::string message, std::string reason) {
  return {StatusCode::kInternal, std::move(message), std::move(reason)};
}

Status FromErrno(int error, std::string_view what) {
  StatusCode code = StatusCode::kInternal;
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      code = StatusCode::kNotFound;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = StatusCode::kPermissionDenied;
      break;
    case ENOSPC:
    case EFBIG:
    case EDQUOT:
      code = StatusCode::kResourceExhausted;
      break;
    // A moment later it may work.
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      code = StatusCode::kUnavailable;
      break;
    default:
      break;
  }
  return {code, std::string(what) + ": " + std::generic_category().message(error)};
}

}  // namespace voxbit
