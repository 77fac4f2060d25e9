// SPDX-License-Identifier: Apache-2.0
// What the good replies of change management look like: the components of its schemas, and what
// rows say of their replies.
//
// Used by the tables of rows. The functions that render the replies are named in schemas.cc.
// Threads: any; constants.
#pragma once

#include <string_view>
#include <vector>

#include "services/framework/service.h"

namespace services::change {

std::vector<Schema> reply_schemas();  // "#/components/schemas/Change…"

// For ActionOptions::reply.
namespace reply {
#define REPLY_OF(WHAT) R"({"$ref":"#/components/schemas/)" WHAT R"("})"
#define LIST_OF(WHAT) R"({"type":"array","items":)" REPLY_OF(WHAT) "}"
inline constexpr std::string_view kChange = REPLY_OF("Change");
inline constexpr std::string_view kChanges = LIST_OF("Change");
inline constexpr std::string_view kDiff = REPLY_OF("ChangeDiff");
inline constexpr std::string_view kHandler = REPLY_OF("ChangeHandler");
inline constexpr std::string_view kHandlers = LIST_OF("ChangeHandler");
inline constexpr std::string_view kFreeze = REPLY_OF("ChangeFreeze");
inline constexpr std::string_view kFreezes = LIST_OF("ChangeFreeze");
#undef REPLY_OF
#undef LIST_OF
}  // namespace reply

}  // namespace services::change
