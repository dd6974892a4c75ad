#include "base/status.h"

#include <array>
#include <cerrno>
#include <cstring>

namespace snug {
namespace {

struct CodeRow {
  std::string_view name;
  int http;
};

constexpr std::array<CodeRow, 17> kCodes{{{"OK", 200},
                                          {"CANCELLED", 499},
                                          {"UNKNOWN", 500},
                                          {"INVALID_ARGUMENT", 400},
                                          {"DEADLINE_EXCEEDED", 504},
                                          {"NOT_FOUND", 404},
                                          {"ALREADY_EXISTS", 409},
                                          {"PERMISSION_DENIED", 403},
                                          {"RESOURCE_EXHAUSTED", 429},
                                          {"FAILED_PRECONDITION", 400},
                                          {"ABORTED", 409},
                                          {"OUT_OF_RANGE", 400},
                                          {"UNIMPLEMENTED", 501},
                                          {"INTERNAL", 500},
                                          {"UNAVAILABLE", 503},
                                          {"DATA_LOSS", 500},
                                          {"UNAUTHENTICATED", 401}}};

const CodeRow& Row(Code code) {
  auto index = static_cast<size_t>(code);
  return kCodes[index < kCodes.size() ? index : static_cast<size_t>(Code::kUnknown)];
}

Code CodeOfErrno(int error_number) {
  switch (error_number) {
    case ENOENT:
      return Code::kNotFound;
    case EEXIST:
      return Code::kAlreadyExists;
    case EACCES:
    case EPERM:
      return Code::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return Code::kResourceExhausted;
    case EINVAL:
    case ENAMETOOLONG:
      return Code::kInvalidArgument;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
      return Code::kFailedPrecondition;
    case EPIPE:
    case ECONNREFUSED:
    case ECONNRESET:
    case EAGAIN:
      return Code::kUnavailable;
    case ETIMEDOUT:
      return Code::kDeadlineExceeded;
    default:
      return Code::kInternal;
  }
}

}  // namespace

std::string_view CodeName(Code code) {
  return Row(code).name;
}

int HttpStatus(Code code) {
  return Row(code).http;
}

std::string Status::ToString() const {
  return ok() ? "OK" : fmt::format("{}: {}", CodeName(code_), text_);
}

Status Status::Annotate(std::string_view context) const {
  return ok() ? *this : Status(code_, fmt::format("{}: {}", context, text_));
}

Status ErrnoError(int error_number, std::string_view context) {
  return Error(CodeOfErrno(error_number), "{}: {}", context, std::strerror(error_number));
}

}  // namespace snug
