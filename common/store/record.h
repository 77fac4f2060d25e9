// SPDX-License-Identifier: Apache-2.0
// How records and changes are written in the tables.
//
// Threads: any.
#pragma once

#include <string>
#include <string_view>

#include "common/store/store.h"
#include "common/store/transaction.h"

namespace store {

std::string encode_record(std::string_view key, std::uint64_t version, std::string_view value);
std::string encode_change(std::string_view key, const Change& change);
std::string encode_feed(std::string_view key, const FeedState& state);
// Errors: corrupt record_corrupt, bytes_truncated, bytes_left_over; unsupported record_format.
base::Result<Record> decode_record(std::string_view key, std::string_view bytes);
base::Result<Change> decode_change(std::string_view key, std::string_view bytes);
base::Result<FeedState> decode_feed(std::string_view key, std::string_view bytes);

}  // namespace store
