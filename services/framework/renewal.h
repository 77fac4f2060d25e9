// SPDX-License-Identifier: Apache-2.0
// Who a caller of the past is today, asked when a call that was held or put off is carried out.
//
// Provided to RunningHost by whoever keeps accounts (security); a host without it takes callers as
// they were. Threads: any, several at a time, with the Reader they are given.
#pragma once

#include "common/base/result.h"
#include "common/store/store.h"
#include "services/framework/caller.h"

namespace services {

class Renewal {
 public:
  virtual ~Renewal() = default;
  // With the groups and rights of today, within the scopes of then. Errors: unauthenticated
  // caller_gone when the account, or one that it acts for, was disabled or deleted.
  virtual base::Result<CallerPtr> renew(store::Reader& reader, const Caller& then) = 0;
};

}  // namespace services
