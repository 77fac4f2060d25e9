// SPDX-License-Identifier: Apache-2.0
// The hash chain of audit records, as lines of text: what the audit service writes and what
// `gestalt audit verify` checks, without a daemon.
//
// A line is one JSON object in canonical form (sorted names, no blanks) of one of two kinds:
//   {"hash":H,"n":N,"prev":P,"record":{…},"sequence":S}   H = SHA-256 of the line without "hash",
//                                                         P = H of the record before
//   {"checkpoint":{"hash":H,"key":K,"n":N,"time":T},"signature":B}
//                 B = Ed25519 over the canonical "checkpoint", which covers records up to N
// 1. Records are numbered from 1 without gaps. Changing, removing, inserting or swapping lines
// breaks the chain; a chain cut at its end is seen by whoever knows a later checkpoint. Threads:
// any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/sys/ed25519.h"

namespace services::audit {

struct Head {
  std::uint64_t n = 0;         // of the newest record
  std::uint64_t sequence = 0;  // of the outbox row it came from
  std::string hash;            // 64 hex digits; empty before the first record
};

// The next line, with its line break; moves `head` on. Requires: `record` is an object in canonical
// form, as base::dump_json writes it; it is taken as it is.
std::string make_line(Head& head, std::uint64_t sequence, std::string_view record);
base::Result<std::string> make_checkpoint(const Head& head, const sys::Ed25519Key& key,
                                          std::string_view key_id, std::string_view time);

// Checks lines one after the other.
class Verifier {
 public:
  // `key` is the raw public key; empty checks the chain but no signature.
  explicit Verifier(std::string key) : key_(std::move(key)) {}
  // Errors: corrupt audit_chain_broken, audit_signature_invalid, audit_line_invalid.
  base::Result<void> take(std::string_view line);

  const Head& head() const { return head_; }
  std::uint64_t records() const { return records_; }
  std::uint64_t checkpoints() const { return checkpoints_; }
  std::uint64_t signed_through() const { return signed_through_; }
  // The first record that was seen; more than 1 when older files have been removed.
  std::uint64_t first() const { return first_; }

 private:
  base::Result<void> take_record(const base::Json& line);
  base::Result<void> take_checkpoint(const base::Json& line);
  std::string key_;
  Head head_;
  std::uint64_t first_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t checkpoints_ = 0;
  std::uint64_t signed_through_ = 0;
};

}  // namespace services::audit
