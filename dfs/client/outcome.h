// SPDX-License-Identifier: Apache-2.0
// How calls of the file-system client end: a callback with a value or an error that carries the
// errno for the application.
//
// Threads: plain values.
#pragma once

#include <cerrno>
#include <functional>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace dfs::client {

// May be called before the call that it was given to has returned.
template <class T>
using Done = std::function<void(base::Result<T>)>;

// What POSIX says about the operation. Costs no allocation: misses are common.
inline base::Error posix_error(int number) {
  return {base::Code::failed_precondition, {}, "posix_error", number};
}

inline base::Error fenced_error() {
  return {base::Code::failed_precondition, "the volume was taken over by another client",
          "stale_epoch", ESTALE};
}

}  // namespace dfs::client
