// SPDX-License-Identifier: Apache-2.0
// How to run one instance: all that an agent must know about a version of an application.
//
// masterd writes it once per version to /gestalt/specs/<digest>; agentd reads it from there.
// 1. A RunSpec that was read has passed every check here: an agent need not look again.
// 2. encode() always writes all fields in one order, so equal specs have equal digests.
// Threads: plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace node::api {

// A container with a network of its own, whose ports are forwarded.
inline constexpr std::string_view kBridgeNetwork = "bridge";

enum class RunKind { container, process };

struct RunResources {
  double cpus = 0;                // 0: no limit
  std::int64_t memory_bytes = 0;  // 0: no limit
  std::int64_t disk_bytes = 0;    // 0: no limit
  std::int64_t pids_max = 0;      // 0: the agent's default
  friend bool operator==(const RunResources&, const RunResources&) = default;
};

struct PortSpec {
  std::string name;              // may be empty
  std::string protocol = "tcp";  // tcp, udp or udp,tcp
  std::int64_t container_port = 0;
  friend bool operator==(const PortSpec&, const PortSpec&) = default;
};

struct VolumeSpec {
  std::string container_path;
  std::string host_path;   // one of host_path and persistent is set
  std::string persistent;  // name of a volume that outlives the instance
  std::int64_t size_bytes = 0;
  bool read_only = false;
  bool shared = false;  // of a persistent one: several instances have it at the same time
  friend bool operator==(const VolumeSpec&, const VolumeSpec&) = default;
};

enum class CheckProtocol { http, https, tcp, command };

struct HealthCheck {
  CheckProtocol protocol = CheckProtocol::http;
  std::string path = "/";
  std::int64_t port_index = 0;
  std::int64_t port = 0;  // 0: the port at port_index
  std::vector<std::string> argv;
  std::chrono::seconds grace_period{300};
  std::chrono::seconds interval{60};
  std::chrono::seconds timeout{20};
  std::chrono::seconds delay{15};
  std::int64_t max_consecutive_failures = 3;  // 0: never unhealthy for good
  bool ignore_http_1xx = false;
  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

struct ReadinessCheck {
  std::string name;
  CheckProtocol protocol = CheckProtocol::http;  // http or https
  std::string path = "/";
  std::string port_name;  // empty: the first port
  std::chrono::seconds interval{30};
  std::chrono::seconds timeout{10};
  std::vector<std::int64_t> http_status_codes_ready{200};
  bool preserve_last_response = false;  // the status tells what was answered last
  friend bool operator==(const ReadinessCheck&, const ReadinessCheck&) = default;
};

struct RunSpec {
  std::string app;      // "/demo/web"
  std::string version;  // Marathon's version string
  RunKind kind = RunKind::container;
  std::string image;  // oci:/path[:tag], oci-archive:/path[:tag] or docker://…; empty for a process
  bool force_pull = false;
  std::vector<std::string> argv;  // empty: the image's own entry point
  std::string user;               // empty: the image's user, or root inside the container
  std::map<std::string, std::string> environment;
  RunResources resources;
  bool read_only_root = false;
  bool init = false;             // of a container: process 1 is ours and passes signals on
  std::string network = "host";  // or kBridgeNetwork, for containers
  std::vector<PortSpec> ports;
  std::vector<VolumeSpec> volumes;
  std::vector<HealthCheck> health_checks;
  std::vector<ReadinessCheck> readiness_checks;
  std::chrono::seconds kill_grace{3};
  std::chrono::seconds drain{5};
  friend bool operator==(const RunSpec&, const RunSpec&) = default;
};

// oci:/path[:tag], oci-archive:/path[:tag] or docker://name.
bool is_image_reference(std::string_view text);

// Errors: invalid_argument field_missing, field_invalid, field_unknown, not_an_object, each with a
// pointer.
base::Result<RunSpec> read_run_spec(const base::Json& json, const std::string& pointer = "");
// From text as it lies in the coordination tree. Errors: those of parse_json as well.
base::Result<RunSpec> decode_run_spec(std::string_view text);
base::Json to_json(const RunSpec& spec);
// The text whose SHA-256 (lower-case hex) is the spec's name.
std::string encode(const RunSpec& spec);

}  // namespace node::api
