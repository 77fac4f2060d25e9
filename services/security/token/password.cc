// SPDX-License-Identifier: Apache-2.0
#include "services/security/token/password.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/base/secret.h"
#include "common/base/text.h"
#include "common/sys/crypto.h"

namespace security {

namespace {

constexpr int kLog2N = 15;  // OWASP password storage: N=2^15 r=8 p=3
constexpr std::uint32_t kR = 8, kP = 3;
constexpr std::size_t kSaltBytes = 16, kHashBytes = 32;

struct StoredHash {
  sys::ScryptCost cost;
  std::string salt, hash;
};

std::optional<std::int64_t> numbered(std::string_view text, std::string_view name,
                                     std::int64_t max) {
  if (!text.starts_with(name)) return std::nullopt;
  const auto number = base::parse_int(text.substr(name.size()), 1, max);
  return number ? std::optional(*number) : std::nullopt;
}

std::optional<StoredHash> parse_hash(std::string_view text) {
  const auto pieces = base::split(text, '$');
  if (pieces.size() != 5 || !pieces[0].empty() || pieces[1] != "scrypt") return std::nullopt;
  const auto cost = base::split(pieces[2], ',');
  if (cost.size() != 3) return std::nullopt;
  const auto n = numbered(cost[0], "ln=", 18), r = numbered(cost[1], "r=", 16),
             p = numbered(cost[2], "p=", 16);
  auto salt = base::from_base64(pieces[3]);
  auto hash = base::from_base64(pieces[4]);
  if (!n || !r || !p || !salt || !hash || salt->size() < 8 || hash->size() != kHashBytes) {
    return std::nullopt;
  }
  return StoredHash{{.n = std::uint64_t{1} << *n,
                     .r = static_cast<std::uint32_t>(*r),
                     .p = static_cast<std::uint32_t>(*p)},
                    *std::move(salt),
                    *std::move(hash)};
}

}  // namespace

base::Result<void> check_password(std::string_view password) {
  const bool fits = password.size() >= kPasswordMin && password.size() <= kPasswordMax;
  if (fits && base::is_utf8(password)) return {};
  return base::Error{base::Code::invalid_argument, "a password is UTF-8 of 8 to 1024 bytes",
                     "password_invalid"};
}

base::Result<std::string> hash_password(std::string_view password, base::Rng& rng) {
  std::array<std::uint8_t, kSaltBytes> bytes{};
  rng.fill(bytes);
  const std::string salt(bytes.begin(), bytes.end());
  const std::string hash = TRY(
      sys::scrypt(password, salt, {.n = std::uint64_t{1} << kLog2N, .r = kR, .p = kP}, kHashBytes));
  return "$scrypt$ln=" + std::to_string(kLog2N) + ",r=" + std::to_string(kR) +
         ",p=" + std::to_string(kP) + "$" + base::to_base64url(salt) + "$" +
         base::to_base64url(hash);
}

base::Result<PasswordCheck> verify_password(std::string_view password, std::string_view hash) {
  const std::optional<StoredHash> stored = parse_hash(hash);
  if (!stored || password.size() > kPasswordMax) {
    TRY(pretend_password(password));
    return PasswordCheck{};
  }
  const std::string made = TRY(sys::scrypt(password, stored->salt, stored->cost, kHashBytes));
  PasswordCheck check{.matches = base::equal_constant_time(made, stored->hash), .outdated = false};
  check.outdated = check.matches && (stored->cost.n != (std::uint64_t{1} << kLog2N) ||
                                     stored->cost.r != kR || stored->cost.p != kP);
  return check;
}

base::Result<void> pretend_password(std::string_view password) {
  const std::string_view short_enough = password.substr(0, std::min(password.size(), kPasswordMax));
  TRY(sys::scrypt(short_enough, "no such account.",
                  {.n = std::uint64_t{1} << kLog2N, .r = kR, .p = kP}, kHashBytes));
  return {};
}

}  // namespace security
