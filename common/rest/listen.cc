// SPDX-License-Identifier: Apache-2.0
#include "common/rest/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "common/rest/daemon.h"

namespace rest {

using base::Code;
using base::Error;
using base::os_error;
using base::Result;

namespace {

constexpr int kBacklog = 256;
constexpr std::size_t kListenersMax = 16;
constexpr std::int64_t kConnectionsMax = 10'000;

Error listener_error(std::string detail) {
  return Error{Code::invalid_argument, std::move(detail), "listener_invalid"};
}

Result<sys::Fd> open_socket(int family) {
  sys::Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.is_open()) return os_error(errno, "socket");
  return fd;
}

Result<ListeningSocket> open_unix(const ListenerOptions& options) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = options.unix_path;
  if (path.size() >= sizeof address.sun_path) {
    return listener_error("the socket's path '" + path + "' is longer than 107 bytes");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return listener_error("'" + path + "' is not a socket");
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return os_error(errno, "unlink " + path);
  }
  sys::Fd fd = TRY(open_socket(AF_UNIX));
  // Nobody may connect between bind and chmod: the socket listens only afterwards.
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return os_error(errno, "bind " + path);
  }
  if (::chmod(path.c_str(), options.unix_mode) != 0) return os_error(errno, "chmod " + path);
  if (::listen(fd.get(), kBacklog) != 0) return os_error(errno, "listen " + path);
  return ListeningSocket{std::move(fd), 0};
}

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

Result<ListeningSocket> open_tcp(const ListenerOptions& options) {
  SocketAddress address{};
  socklen_t length = 0;
  if (::inet_pton(AF_INET, options.address.c_str(), &address.v4.sin_addr) == 1) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(options.port);
    length = sizeof address.v4;
  } else if (::inet_pton(AF_INET6, options.address.c_str(), &address.v6.sin6_addr) == 1) {
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(options.port);
    length = sizeof address.v6;
  } else {
    return listener_error("'" + options.address + "' is not an IPv4 or IPv6 address");
  }
  const std::string where = options.address + " port " + std::to_string(options.port);
  sys::Fd fd = TRY(open_socket(address.any.sa_family));
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
    return os_error(errno, "reuse " + where);
  }
  if (address.any.sa_family == AF_INET6 &&
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) {
    return os_error(errno, "IPv6 only on " + where);
  }
  if (::bind(fd.get(), &address.any, length) != 0) return os_error(errno, "bind " + where);
  if (::listen(fd.get(), kBacklog) != 0) return os_error(errno, "listen on " + where);
  length = sizeof address;
  if (::getsockname(fd.get(), &address.any, &length) != 0) return os_error(errno, "getsockname");
  const std::uint16_t port =
      address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port;
  return ListeningSocket{std::move(fd), ntohs(port)};
}

// An interface that manages a node must not be open to every network that the node is in.
bool is_every_address(const std::string& address) {
  SocketAddress parsed{};
  if (::inet_pton(AF_INET, address.c_str(), &parsed.v4.sin_addr) == 1) {
    return parsed.v4.sin_addr.s_addr == htonl(INADDR_ANY);
  }
  return ::inet_pton(AF_INET6, address.c_str(), &parsed.v6.sin6_addr) == 1 &&
         IN6_IS_ADDR_UNSPECIFIED(&parsed.v6.sin6_addr);
}

Result<ListenerOptions> read_listener(const base::Json& json, std::string pointer) {
  ListenerOptions options;
  base::Fields fields(json, std::move(pointer));
  std::int64_t port = 0;
  std::int64_t mode = options.unix_mode;
  fields.optional("unix", options.unix_path, {.length_min = 1, .length_max = 107});
  fields.optional("unix_mode", mode, {.min = 0, .max = 0777});
  fields.optional("address", options.address, {.length_min = 1, .length_max = 64});
  fields.optional("port", port, {.min = 1, .max = 65535});
  fields.optional("certificate", options.certificate_file, {.length_min = 1});
  fields.optional("key", options.key_file, {.length_min = 1});
  fields.optional("client_ca", options.client_ca_file, {.length_min = 1});
  if (is_every_address(options.address)) {
    fields.reject("address", "must be one address of the node, not all of them");
  }
  if (options.unix_path.empty() && port == 0) {
    fields.reject("port", "is required, unless 'unix' is given", "field_missing");
  }
  if (!options.unix_path.empty() && port != 0) {
    fields.reject("port", "excludes 'unix'");
  }
  if (options.certificate_file.empty() != options.key_file.empty()) {
    fields.reject("key", "'certificate' and 'key' go together");
  }
  if (!options.client_ca_file.empty() && options.certificate_file.empty()) {
    fields.reject("client_ca", "needs 'certificate' and 'key'");
  }
  TRY(fields.finish(base::UnknownFields::refuse));
  options.port = static_cast<std::uint16_t>(port);
  options.unix_mode = static_cast<unsigned>(mode);
  return options;
}

}  // namespace

Result<ListeningSocket> open_listener(const ListenerOptions& options) {
  return options.unix_path.empty() ? open_tcp(options) : open_unix(options);
}

Result<std::vector<ListenerOptions>> read_listeners(const base::Json& config,
                                                    std::string_view field,
                                                    std::vector<ListenerOptions> fallback) {
  base::Fields fields(config);
  const base::Json* list = fields.find_array(field, kListenersMax);
  TRY(fields.finish(base::UnknownFields::ignore));
  if (list == nullptr) return fallback;
  std::vector<ListenerOptions> listeners;
  for (std::size_t i = 0; i < list->size(); ++i) {
    listeners.push_back(TRY(read_listener(
        (*list)[i], base::child_pointer(fields.pointer_of(field), std::to_string(i)))));
  }
  return listeners;
}

Result<ServerLimits> read_limits(const base::Json& config, std::string_view field) {
  ServerLimits limits;
  base::Fields all(config);
  const base::Json* json = all.find_object(field);
  TRY(all.finish(base::UnknownFields::ignore));
  if (json == nullptr) return limits;
  base::Fields fields(*json, all.pointer_of(field));
  const auto read_rate = [&](const std::string& prefix, Rate& rate) {
    fields.optional(prefix + "requests_per_second", rate.per_second, {.min = 0, .max = 1e6});
    fields.optional(prefix + "requests_burst", rate.burst, {.min = 1, .max = 1e6});
  };
  read_rate("", limits.per_principal);
  read_rate("address_", limits.per_address);
  const auto read_count = [&](std::string_view name, std::size_t& count) {
    auto number = static_cast<std::int64_t>(count);
    fields.optional(name, number, {.min = 1, .max = kConnectionsMax});
    count = static_cast<std::size_t>(number);
  };
  read_count("connections_max", limits.connections_max);
  read_count("connections_per_address_max", limits.connections_per_address_max);
  TRY(fields.finish(base::UnknownFields::refuse));
  return limits;
}

}  // namespace rest
