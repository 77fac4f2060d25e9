// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/flows.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "common/base/config.h"
#include "common/base/text.h"
#include "netfw/model/firewall.h"

namespace netfw {
namespace {

constexpr std::size_t kTableBytesMax = 128 << 20;
// States of include/net/tcp_states.h in the kernel.
constexpr std::uint32_t kTcpEstablished = 0x01;
constexpr std::uint32_t kTcpListen = 0x0a;
constexpr std::size_t kWordDigits = 8;  // of an address; IPv6 has four words

std::optional<std::uint32_t> read_hex(std::string_view text) {
  std::uint32_t out = 0;
  const auto done = std::from_chars(text.data(), text.data() + text.size(), out, 16);
  if (done.ec != std::errc() || done.ptr != text.data() + text.size()) return std::nullopt;
  return out;
}

IpAddress without_mapping(const IpAddress& address) {
  constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (address.family == Family::v4 ||
      !std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin())) {
    return address;
  }
  IpAddress out;
  std::copy_n(address.bytes.begin() + kMapped.size(), 4, out.bytes.begin());
  return out;
}

// "0100007F:0016": the address as words in the machine's order of bytes, the port as a number.
std::optional<Endpoint> read_end(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon != kWordDigits && colon != 4 * kWordDigits) return std::nullopt;
  Endpoint out;
  out.address.family = colon == kWordDigits ? Family::v4 : Family::v6;
  for (std::size_t at = 0; at < colon; at += kWordDigits) {
    const auto word = read_hex(text.substr(at, kWordDigits));
    if (!word) return std::nullopt;
    std::memcpy(out.address.bytes.data() + at / 2, &*word, sizeof *word);
  }
  const auto port = read_hex(text.substr(colon + 1));
  if (!port || *port > 0xffff) return std::nullopt;
  out.address = without_mapping(out.address);
  out.port = static_cast<std::uint16_t>(*port);
  return out;
}

base::Error unproven(std::string detail) {
  return {
      .code = base::Code::failed_precondition,
      .detail = std::move(detail) +
                "; open a new SSH session to the node and confirm in it before the time is over",
      .reason = "policy_unproven"};
}

bool is_managing(std::uint16_t port, const Policy& policy) {
  return port == kSshPort || std::find(policy.management_tcp.begin(), policy.management_tcp.end(),
                                       port) != policy.management_tcp.end();
}

}  // namespace

void add_flows(std::string_view text, Flows& flows) {
  // "  0: 0100007F:0016 0200007F:1234 01 …": number, local end, remote end, state.
  constexpr std::size_t kLocal = 1, kRemote = 2, kState = 3;
  for (const std::string_view line : base::split(text, '\n')) {
    const auto row = base::split(base::trim(line), ' ');
    if (row.size() <= kState) continue;
    const auto local = read_end(row[kLocal]);
    const auto remote = read_end(row[kRemote]);
    const auto state = read_hex(row[kState]);
    if (!local || !remote || !state || *state == kTcpListen) continue;
    (*state == kTcpEstablished ? flows.established : flows.others).insert(Flow{*local, *remote});
  }
}

base::Result<Flows> read_flows() {
  Flows out;
  const std::string text = TRY(base::read_file("/proc/net/tcp", kTableBytesMax));
  add_flows(text, out);
  // Not there when the kernel has no IPv6.
  if (const auto text6 = base::read_file("/proc/net/tcp6", kTableBytesMax)) add_flows(*text6, out);
  return out;
}

base::Result<Endpoint> parse_remote(std::string_view text) {
  const base::Error bad{.code = base::Code::invalid_argument,
                        .detail = "the other end of a connection is ADDRESS:PORT",
                        .reason = "field_invalid",
                        .pointer = "/connection"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  host = host.substr(0, host.find('%'));
  // IpAddress takes no mapped ones; a socket of both families has them.
  constexpr std::string_view kMapped = "::ffff:";
  if (host.starts_with(kMapped) && host.find('.') != std::string_view::npos) {
    host.remove_prefix(kMapped.size());
  }
  const auto address = IpAddress::parse(host);
  const auto port = base::parse_int(text.substr(colon + 1), 1, 65535);
  if (!address || !port) return bad;
  Endpoint out;
  out.address = *address;
  out.port = static_cast<std::uint16_t>(*port);
  return out;
}

base::Result<void> check_new_flow(const Endpoint& remote, const Flows& before, const Flows& now,
                                  const Policy& policy) {
  std::string why = "there is no connection from " + remote.text() + " to SSH or a management port";
  for (const Flow& flow : now.established) {
    if (flow.remote != remote || !is_managing(flow.local.port, policy)) continue;
    const Flow back{flow.remote, flow.local};
    if (now.established.contains(back) || now.others.contains(back)) {
      why = "the connection from " + remote.text() + " comes from this node itself";
    } else if (before.established.contains(flow) || before.others.contains(flow)) {
      why = "the connection from " + remote.text() + " was there before the trial began";
    } else {
      return {};
    }
  }
  return unproven(std::move(why));
}

}  // namespace netfw
