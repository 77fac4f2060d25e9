// SPDX-License-Identifier: Apache-2.0
#include "common/base/result.h"

#include <cerrno>
#include <cstring>

namespace base {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::invalid_argument: return "invalid_argument";
    case Code::unauthenticated: return "unauthenticated";
    case Code::permission_denied: return "permission_denied";
    case Code::not_found: return "not_found";
    case Code::already_exists: return "already_exists";
    case Code::failed_precondition: return "failed_precondition";
    case Code::conflict: return "conflict";
    case Code::throttled: return "throttled";
    case Code::no_space: return "no_space";
    case Code::unavailable: return "unavailable";
    case Code::timed_out: return "timed_out";
    case Code::unsupported: return "unsupported";
    case Code::too_large: return "too_large";
    case Code::corrupt: return "corrupt";
    case Code::internal: return "internal";
  }
  return "internal";
}

std::string to_string(const Error& error) {
  std::string text = std::string(error.reason) + ": " + error.detail;
  if (!error.pointer.empty()) text += " (at " + error.pointer + ")";
  return text;
}

Error prepend(std::string_view phrase, Error error) {
  error.detail = std::string(phrase) + ": " + error.detail;
  return error;
}

namespace {

struct ErrnoMeaning {
  Code code;
  std::string_view reason;
};

ErrnoMeaning meaning_of(int errno_value) {
  switch (errno_value) {
    case ENOENT: return {Code::not_found, "os_not_found"};
    case EEXIST: return {Code::already_exists, "os_exists"};
    case EACCES:
    case EPERM: return {Code::permission_denied, "os_not_permitted"};
    case ENOSPC:
    case EDQUOT: return {Code::no_space, "os_no_space"};
    case ETIMEDOUT: return {Code::timed_out, "os_timed_out"};
    case EINVAL: return {Code::invalid_argument, "os_invalid"};
    case EAGAIN:
    case EBUSY: return {Code::failed_precondition, "os_busy"};
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPIPE: return {Code::unavailable, "os_unreachable"};
    case ENOSYS:
    case EOPNOTSUPP: return {Code::unsupported, "os_unsupported"};
    default: return {Code::internal, "os_error"};
  }
}

}  // namespace

Error os_error(int errno_value, std::string_view what) {
  char buffer[128];
  const char* text = strerror_r(errno_value, buffer, sizeof buffer);
  const ErrnoMeaning meaning = meaning_of(errno_value);
  return Error{meaning.code, std::string(what) + ": " + text, meaning.reason, errno_value};
}

}  // namespace base
