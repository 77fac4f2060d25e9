// SPDX-License-Identifier: Apache-2.0
#include "node/agent/unit_properties.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace node::agent {

namespace {

using std::chrono::microseconds;
using std::chrono::seconds;
using sys::UnitProperty;

constexpr std::uint64_t kStartTimeoutUs = 60'000'000;
constexpr std::uint64_t kCpuQuotaMinUs = 10'000;  // what the kernel accepts as the least share
constexpr std::uint64_t kFilesMax = 524'288;
constexpr std::uint64_t kNoLimit = UINT64_MAX;  // systemd's "infinity"
// Bits of <linux/capability.h>. The helper gives them up with its user.
constexpr std::uint64_t kCapSetgid = 1U << 6;
constexpr std::uint64_t kCapSetuid = 1U << 7;

std::uint64_t as_us(seconds duration) {
  // systemd takes 0 for "for ever".
  return std::max<std::uint64_t>(1000, static_cast<std::uint64_t>(microseconds(duration).count()));
}

// systemd expands "$NAME" in the arguments of ExecStart; "$$" is a dollar sign.
std::vector<std::string> escape_dollars(const std::vector<std::string>& argv) {
  std::vector<std::string> out;
  for (const std::string& each : argv) {
    std::string text;
    for (const char c : each) text += c == '$' ? "$$" : std::string(1, c);
    out.push_back(std::move(text));
  }
  return out;
}

void add_common(const UnitInput& input, std::vector<UnitProperty>& out) {
  const api::RunSpec& spec = *input.record.spec;
  const std::string description = spec.app + " " + input.record.status.id.text();
  out.push_back({"Description", description});
  out.push_back({"Slice", std::string("gestalt.slice")});
  out.push_back({"Restart", std::string("no")});
  out.push_back({"RemainAfterExit", true});
  out.push_back({"KillMode", std::string("mixed")});
  out.push_back({"KillSignal", static_cast<std::int32_t>(input.stop_signal)});
  out.push_back({"TimeoutStartUSec", kStartTimeoutUs});
  out.push_back({"TimeoutStopUSec", as_us(spec.kill_grace)});
  out.push_back({"StandardOutput", std::string("journal")});
  out.push_back({"StandardError", std::string("journal")});
  out.push_back({"SyslogIdentifier", input.record.status.id.text()});
  out.push_back({"LogRateLimitIntervalUSec", std::uint64_t{0}});
  out.push_back({"LimitNOFILE", kFilesMax});
  out.push_back({"CPUAccounting", true});
  out.push_back({"MemoryAccounting", true});
  out.push_back({"TasksAccounting", true});
  for (UnitProperty& limit : limit_properties(spec, input.pids_default)) {
    if (std::get<std::uint64_t>(limit.value) != kNoLimit) out.push_back(std::move(limit));
  }
}

// A user that the application names must exist on the node. Otherwise it gets one of its own by
// number, which systemd's User= refuses for want of an entry: the helper sets it.
void add_user(const UnitInput& input, std::vector<UnitProperty>& out) {
  const std::string& user = input.record.spec->user;
  std::vector<std::string> argv = input.record.spec->argv;
  std::uint64_t capabilities = 0;
  if (user.empty()) {
    argv.insert(argv.begin(), {input.oci_start, "process", "--uid",
                               std::to_string(input.record.uid_first), "--"});
    capabilities = kCapSetuid | kCapSetgid;
  } else {
    const std::size_t colon = user.find(':');
    out.push_back({"User", user.substr(0, colon)});
    if (colon != std::string::npos) out.push_back({"Group", user.substr(colon + 1)});
  }
  out.push_back({"CapabilityBoundingSet", capabilities});
  out.push_back({"ExecStart", std::vector<std::vector<std::string>>{escape_dollars(argv)}});
}

}  // namespace

std::uint64_t cpu_quota_us(double cpus) {
  const auto quota = static_cast<std::uint64_t>(std::llround(cpus * 1e6));
  return std::max(quota, kCpuQuotaMinUs);
}

std::int64_t pids_max_of(const api::RunSpec& spec, std::int64_t pids_default) {
  return spec.resources.pids_max > 0 ? spec.resources.pids_max : pids_default;
}

std::vector<UnitProperty> limit_properties(const api::RunSpec& spec, std::int64_t pids_default) {
  const bool has_memory = spec.resources.memory_bytes > 0;
  const auto memory =
      has_memory ? static_cast<std::uint64_t>(spec.resources.memory_bytes) : kNoLimit;
  return {{"TasksMax", static_cast<std::uint64_t>(pids_max_of(spec, pids_default))},
          {"MemoryMax", memory},
          {"MemorySwapMax", has_memory ? std::uint64_t{0} : kNoLimit},
          {"CPUQuotaPerSecUSec",
           spec.resources.cpus > 0 ? cpu_quota_us(spec.resources.cpus) : kNoLimit}};
}

std::string pid_file(const UnitInput& input) { return input.run_folder + "/pid"; }

std::vector<UnitProperty> container_properties(const UnitInput& input) {
  const std::string& id = input.record.status.id.text();
  const std::string state = input.run_folder + "/crun";
  std::vector<std::string> argv{input.oci_start, "run",     "--lower",
                                input.tree,      "--layer", input.folder};
  const auto add = [&argv](std::initializer_list<std::string> words) {
    argv.insert(argv.end(), words);
  };
  if (!input.disk.empty()) add({"--disk", input.disk});
  if (input.record.uid_first != 0) add({"--uid-first", std::to_string(input.record.uid_first)});
  argv.insert(argv.end(), input.network.begin(), input.network.end());
  add({"--pid-file", pid_file(input), "--fifo", state + "/" + id + "/exec.fifo"});
  add({"--", input.crun, "--root", state, "--cgroup-manager=disabled"});
  add({"create", "--pid-file", pid_file(input), "--bundle", input.folder, id});
  std::vector<UnitProperty> out;
  // The helper names the container's process before it lets it go.
  out.push_back({"Type", std::string("notify")});
  out.push_back({"ExecStart", std::vector<std::vector<std::string>>{escape_dollars(argv)}});
  add_common(input, out);
  return out;
}

base::Result<std::vector<UnitProperty>> process_properties(const UnitInput& input,
                                                           const Environment& environment) {
  const std::string sandbox = input.folder + "/sandbox";
  std::vector<std::string> writable{sandbox};
  for (const api::VolumeSpec& volume : input.record.spec->volumes) {
    if (volume.host_path.empty() || volume.host_path != volume.container_path) {
      return base::Error{base::Code::unsupported,
                         "the volume " + volume.container_path +
                             " of a process must have the same path on the node",
                         "volume_unsupported"};
    }
    if (!volume.read_only) writable.push_back(volume.host_path);
  }
  std::vector<UnitProperty> out;
  out.push_back({"Type", std::string("exec")});
  add_user(input, out);
  out.push_back({"WorkingDirectory", sandbox});
  out.push_back({"Environment", to_lines(environment)});
  out.push_back({"NoNewPrivileges", true});
  out.push_back({"ProtectSystem", std::string("strict")});
  out.push_back({"ProtectHome", std::string("yes")});
  out.push_back({"PrivateTmp", true});
  out.push_back({"PrivateDevices", true});
  out.push_back({"ProtectKernelTunables", true});
  out.push_back({"ProtectControlGroups", true});
  out.push_back({"RestrictSUIDSGID", true});
  out.push_back({"ReadWritePaths", std::move(writable)});
  add_common(input, out);
  return out;
}

}  // namespace node::agent
