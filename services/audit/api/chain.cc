// SPDX-License-Identifier: Apache-2.0
#include "services/audit/api/chain.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/sys/tls.h"

namespace services::audit {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kLineBytesMax = 1 << 20;

Error broken(std::uint64_t n, std::string_view what) {
  return Error{Code::corrupt, "record " + std::to_string(n) + ": " + std::string(what),
               "audit_chain_broken"};
}

}  // namespace

std::string make_line(Head& head, std::uint64_t sequence, std::string_view record) {
  // The canonical form of an object with a record in canonical form, without taking that apart.
  std::string rest =
      "\"n\":" + std::to_string(head.n + 1) + ",\"prev\":\"" + head.hash + "\",\"record\":";
  rest.append(record).append(",\"sequence\":").append(std::to_string(sequence)).append("}");
  const std::string hash = sys::sha256_hex("{" + rest);
  head = {head.n + 1, sequence, hash};
  return "{\"hash\":\"" + hash + "\"," + rest + "\n";
}

Result<std::string> make_checkpoint(const Head& head, const sys::Ed25519Key& key,
                                    std::string_view key_id, std::string_view time) {
  const Json covered = {{"n", head.n},
                        {"hash", head.hash},
                        {"key", std::string(key_id)},
                        {"time", std::string(time)}};
  const std::string signature = TRY(key.sign(base::dump_json(covered)));
  return base::dump_json(
             Json{{"checkpoint", covered}, {"signature", base::to_base64url(signature)}}) +
         "\n";
}

Result<void> Verifier::take(std::string_view text) {
  const auto line = base::parse_json(text, {.bytes_max = kLineBytesMax});
  if (!line || !line->is_object()) {
    return Error{Code::corrupt, "after record " + std::to_string(head_.n) + ": a line is no JSON",
                 "audit_line_invalid"};
  }
  // Another spelling of the same JSON would have another hash than the one that was written.
  if (base::dump_json(*line) != text) {
    return Error{Code::corrupt,
                 "after record " + std::to_string(head_.n) + ": a line is not in canonical form",
                 "audit_line_invalid"};
  }
  return line->contains("checkpoint") ? take_checkpoint(*line) : take_record(*line);
}

Result<void> Verifier::take_record(const Json& line) {
  Json bare = line;
  const Json hash = bare.value("hash", Json());
  bare.erase("hash");
  if (!hash.is_string() || !line.value("n", Json()).is_number_unsigned() ||
      !line.value("prev", Json()).is_string() ||
      !line.value("sequence", Json()).is_number_unsigned()) {
    return Error{Code::corrupt, "after record " + std::to_string(head_.n) + ": a line is no record",
                 "audit_line_invalid"};
  }
  const std::uint64_t n = line["n"];
  if (sys::sha256_hex(base::dump_json(bare)) != hash.get<std::string>()) {
    return broken(n, "its hash does not fit what it says");
  }
  if (first_ == 0) {
    first_ = n;
    if (n == 1 && line["prev"] != "") return broken(n, "the first record has a forerunner");
  } else if (n != head_.n + 1) {
    return broken(n, "record " + std::to_string(head_.n + 1) + " is expected here");
  } else if (line["prev"] != head_.hash) {
    return broken(n, "it does not follow on the record before");
  }
  head_ = {n, line["sequence"], hash};
  ++records_;
  return {};
}

Result<void> Verifier::take_checkpoint(const Json& line) {
  const Json& covered = line["checkpoint"];
  ++checkpoints_;
  if (!covered.is_object() || !line.value("signature", Json()).is_string()) {
    return Error{Code::corrupt, "a checkpoint is incomplete", "audit_line_invalid"};
  }
  // A checkpoint at the beginning of a file covers what stood in the file before.
  if (first_ != 0 && (covered.value("n", std::uint64_t{0}) != head_.n ||
                      covered.value("hash", "") != head_.hash)) {
    return broken(head_.n, "a checkpoint speaks of another record");
  }
  if (key_.empty()) return {};
  const auto signature = base::from_base64(line["signature"].get<std::string>());
  const auto key = TRY(sys::Ed25519Key::from_public(key_));
  if (!signature || !key.verify(base::dump_json(covered), *signature)) {
    return Error{Code::corrupt, "the signature at record " + std::to_string(head_.n) + " is wrong",
                 "audit_signature_invalid"};
  }
  signed_through_ = head_.n;
  return {};
}

}  // namespace services::audit
