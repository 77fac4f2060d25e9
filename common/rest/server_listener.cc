// SPDX-License-Identifier: Apache-2.0
// Listeners and connections: the library's instance behind one socket, driven by the loop.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/base/config.h"
#include "common/rest/server_parts.h"

namespace rest {

using base::Code;
using base::Error;
using base::os_error;
using base::Result;

namespace {

// TLS 1.3, and 1.2 for old clients, with forward secrecy and at least 128 bits of strength: our own
// certificates are P-256, which SECURE256 would refuse. A GnuTLS priority string.
constexpr const char* kTlsPriorities =
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:"
    "+CHACHA20-POLY1305";
// Rounds of the library in one go before other events of the loop get their turn.
constexpr int kRoundsMax = 16;
// Connections that the library takes beyond the limits: those that are closed to make room, and
// those that ask for /health.
constexpr std::size_t kSpareConnections = 64;
constexpr base::Duration kSpareDeadline = std::chrono::seconds(1);
// A request line and headers that take longer make room for others when it is needed: gladly, or
// when there is nobody else.
constexpr base::Duration kSlowRequest = std::chrono::seconds(1);
constexpr base::Duration kYoungRequest = std::chrono::milliseconds(500);
constexpr std::size_t kPemBytesMax = 1 << 20;

Connection* connection_of(MHD_Connection* handle) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info == nullptr ? nullptr : static_cast<Connection*>(info->socket_context);
}

// Leaves the path and the query as they came: they are decoded once, by us.
std::size_t keep_raw(void* /*closure*/, MHD_Connection* /*handle*/, char* text) noexcept {
  return std::char_traits<char>::length(text);
}

void* on_request_line(void* /*closure*/, const char* uri, MHD_Connection* handle) noexcept {
  Connection* connection = connection_of(handle);
  CHECK_THAT(connection != nullptr);
  connection->exchange = std::make_unique<Exchange>(*connection, uri);
  // The first request has its deadline since the connection was made.
  if (connection->phase == Phase::idle) {
    connection->enter(Phase::header, connection->listener.server.limits.header_deadline);
  }
  return connection;
}

MHD_Result on_access(void* /*closure*/, MHD_Connection* /*handle*/, const char* /*url*/,
                     const char* method, const char* version, const char* data, std::size_t* size,
                     void** context) noexcept {
  auto* connection = static_cast<Connection*>(*context);
  CHECK_THAT(connection != nullptr && connection->exchange != nullptr);
  return connection->exchange->on_call(method, version, data, size) ? MHD_YES : MHD_NO;
}

void on_completed(void* /*closure*/, MHD_Connection* handle, void** context,
                  MHD_RequestTerminationCode /*how*/) noexcept {
  Connection* connection = connection_of(handle);
  *context = nullptr;
  if (connection == nullptr) return;
  connection->hangup.reset();
  connection->exchange.reset();
  connection->enter(Phase::idle, connection->listener.server.limits.idle_deadline);
  if (connection->listener.server.shutting_down) connection->cut();
}

void on_connection(void* closure, MHD_Connection* handle, void** context,
                   MHD_ConnectionNotificationCode what) noexcept {
  auto& listener = *static_cast<Listener*>(closure);
  if (what == MHD_CONNECTION_NOTIFY_STARTED) {
    auto connection = std::make_unique<Connection>(listener, handle);
    connection->place = listener.connections.insert(listener.connections.end(), connection.get());
    listener.make_room(*connection);
    *context = connection.release();
    return;
  }
  const std::unique_ptr<Connection> connection(static_cast<Connection*>(*context));
  *context = nullptr;
  if (!connection) return;
  listener.connections.erase(connection->place);
  listener.server.on_connection_closed(listener);
}

MHD_OptionItem callback(MHD_OPTION option, auto* function, void* closure) {
  return {option, reinterpret_cast<intptr_t>(function), closure};
}

MHD_OptionItem number(MHD_OPTION option, std::size_t value) {
  return {option, static_cast<intptr_t>(value), nullptr};
}

MHD_OptionItem text(MHD_OPTION option, const char* value) {
  // The library takes a non-const pointer and only reads from it.
  return {option, 0, const_cast<char*>(value)};
}

struct Peer {
  std::string name;     // with its port
  std::string address;  // as limits count it
};

Peer describe_peer(MHD_Connection* handle) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (info == nullptr || info->client_addr == nullptr) return {"unknown", "unknown"};
  char text[INET6_ADDRSTRLEN] = "";
  if (info->client_addr->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(info->client_addr);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return {std::string(text) + ":" + std::to_string(ntohs(v4->sin_port)), text};
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(info->client_addr);
  ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
  Peer peer{"[" + std::string(text) + "]:" + std::to_string(ntohs(v6->sin6_port)), ""};
  // A host has a whole network of 64 bits to choose addresses from.
  in6_addr network = v6->sin6_addr;
  std::memset(network.s6_addr + 8, 0, 8);
  ::inet_ntop(AF_INET6, &network, text, sizeof text);
  peer.address = std::string(text) + "/64";
  return peer;
}

// How willingly a connection gives up its place, none: 0. Who has begun a request long ago and not
// ended it goes first, then who waits for a next one; who is answered stays.
int willingness(const Connection& connection, base::Instant now) {
  const base::Duration age = now - connection.phase_began;
  switch (connection.phase) {
    case Phase::header: return age > kSlowRequest ? 3 : age > kYoungRequest ? 1 : 0;
    case Phase::body: return connection.exchange->is_refused() ? 3 : 0;
    case Phase::idle: return 2;
    case Phase::handler:
    case Phase::reply:
    case Phase::stream: return 0;
  }
  return 0;
}

// Demands a certificate of the CA and lets the handshake fail without one; the library itself only
// asks for it. Source: gnutls_session_set_verify_cert(3).
void require_client_certificate(MHD_Connection* handle) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(handle, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  CHECK_THAT(info != nullptr && info->tls_session != nullptr);
  auto* session = static_cast<gnutls_session_t>(info->tls_session);
  gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
  gnutls_session_set_verify_cert(session, nullptr, 0);
}

}  // namespace

Connection::Connection(Listener& owner, MHD_Connection* mhd_handle)
    : listener(owner), handle(mhd_handle) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
  CHECK_THAT(info != nullptr);
  fd = info->connect_fd;
  if (listener.is_unix) {
    ucred peer_ids{};
    socklen_t length = sizeof peer_ids;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer_ids, &length) == 0) {
      credentials = PeerCredentials{peer_ids.pid, peer_ids.uid, peer_ids.gid};
      peer = "unix:uid=" + std::to_string(peer_ids.uid) + ",pid=" + std::to_string(peer_ids.pid);
    }
  } else {
    Peer found = describe_peer(handle);
    peer = std::move(found.name);
    address = std::move(found.address);
  }
  if (listener.wants_client_certificate) require_client_certificate(handle);
  enter(Phase::header, listener.server.limits.header_deadline);
}

void Connection::suspend() {
  CHECK_THAT(!suspended);
  suspended = true;
  MHD_suspend_connection(handle);
}

void Connection::resume() {
  if (!suspended) return;
  suspended = false;
  // Takes effect in the library's next round, never within this call; the library's own signal for
  // it wakes only its own threads.
  MHD_resume_connection(handle);
  listener.run_soon();
}

void Connection::enter(Phase next, base::Duration limit) {
  phase = next;
  phase_began = base::system_clock().now();
  deadline = phase_began + limit;
  listener.server.arm(*deadline);
}

void Connection::enter(Phase next) {
  phase = next;
  deadline.reset();
}

void Connection::write_last(std::string_view bytes) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(handle, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  if (info == nullptr || info->tls_session == nullptr) {
    ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return;
  }
  gnutls_record_send(static_cast<gnutls_session_t>(info->tls_session), bytes.data(), bytes.size());
}

void Connection::cut() {
  is_cut = true;
  ::shutdown(fd, SHUT_RDWR);
  resume();
}

Result<std::unique_ptr<Listener>> Listener::make(HttpServer& server, const ListenerOptions& options,
                                                 int listening_fd) {
  auto listener = std::make_unique<Listener>(server);
  listener->is_unix = !options.unix_path.empty();
  listener->wants_client_certificate = !options.client_ca_file.empty();
  TlsFiles tls;
  if (!options.certificate_file.empty()) {
    tls.certificate = TRY(base::read_file(options.certificate_file, kPemBytesMax));
    tls.key = base::Secret(TRY(base::read_file(options.key_file, kPemBytesMax)));
    if (!options.client_ca_file.empty()) {
      tls.client_ca = TRY(base::read_file(options.client_ca_file, kPemBytesMax));
    }
  }
  sys::Fd own(::fcntl(listening_fd, F_DUPFD_CLOEXEC, 0));
  if (!own.is_open()) return os_error(errno, "copy the listening socket");
  TRY(listener->start(options, std::move(own), tls));
  return listener;
}

Result<void> Listener::start(const ListenerOptions& options, sys::Fd listening,
                             const TlsFiles& tls) {
  const ServerLimits& limits = server.limits;
  std::vector<MHD_OptionItem> items = {
      number(MHD_OPTION_LISTEN_SOCKET, static_cast<std::size_t>(listening.get())),
      number(MHD_OPTION_STRICT_FOR_CLIENT, 1),
      number(MHD_OPTION_CONNECTION_LIMIT, limits.connections_max + kSpareConnections),
      number(MHD_OPTION_PER_IP_CONNECTION_LIMIT,
             limits.connections_per_address_max + kSpareConnections),
      number(MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits.connection_memory_bytes),
      number(MHD_OPTION_CONNECTION_TIMEOUT, 0),  // see hazard 1
      callback(MHD_OPTION_NOTIFY_COMPLETED, on_completed, this),
      callback(MHD_OPTION_NOTIFY_CONNECTION, on_connection, this),
      callback(MHD_OPTION_URI_LOG_CALLBACK, on_request_line, this),
      callback(MHD_OPTION_UNESCAPE_CALLBACK, keep_raw, this),
  };
  unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
  const std::string key(tls.key.reveal());
  if (!tls.certificate.empty()) {
    flags |= MHD_USE_TLS;
    items.push_back(text(MHD_OPTION_HTTPS_MEM_CERT, tls.certificate.c_str()));
    items.push_back(text(MHD_OPTION_HTTPS_MEM_KEY, key.c_str()));
    items.push_back(text(MHD_OPTION_HTTPS_PRIORITIES, kTlsPriorities));
    if (!tls.client_ca.empty()) {
      items.push_back(text(MHD_OPTION_HTTPS_MEM_TRUST, tls.client_ca.c_str()));
    }
  }
  items.push_back({MHD_OPTION_END, 0, nullptr});
  errno = 0;
  daemon_.reset(MHD_start_daemon(flags, 0, nullptr, nullptr, on_access, this, MHD_OPTION_ARRAY,
                                 items.data(), MHD_OPTION_END));
  if (!daemon_ && !tls.certificate.empty()) {
    return Error{Code::invalid_argument,
                 "the certificate " + options.certificate_file + " and its key are not usable",
                 "tls_invalid"};
  }
  if (!daemon_) return os_error(errno != 0 ? errno : EINVAL, "start the HTTP listener");
  // The library owns it from here on and closes it in the end.
  [[maybe_unused]] const int taken = listening.release();
  const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon_.get(), MHD_DAEMON_INFO_EPOLL_FD);
  CHECK_THAT(info != nullptr);
  readable_ =
      TRY(server.parts.loop.watch_fd(info->epoll_fd, EPOLLIN, [this](std::uint32_t) { run(); }));
  return {};
}

Listener::~Listener() {
  readable_.reset();
  // The library aborts the process when it is stopped with a suspended connection.
  for (Connection* connection : connections) {
    if (connection->exchange) connection->cut();
  }
  again_.reset();
  daemon_.reset();
}

// O(connections), for each new one.
void Listener::make_room(Connection& newcomer) {
  const base::Instant now = base::system_clock().now();
  const bool has_address = !newcomer.address.empty();
  std::size_t all = 1;
  std::size_t of_address = 1;
  std::size_t spare = 0;
  for (const Connection* connection : connections) {
    if (connection == &newcomer || connection->is_cut) continue;
    if (connection->is_spare) {
      ++spare;
      continue;
    }
    ++all;
    if (has_address && connection->address == newcomer.address) ++of_address;
  }
  const bool is_crowded_address = of_address > server.limits.connections_per_address_max;
  if (!is_crowded_address && all <= server.limits.connections_max) return;
  const auto choose = [&](const auto& may_leave) {
    Connection* chosen = nullptr;
    int most = 0;
    for (Connection* connection : connections) {  // the oldest first
      if (connection == &newcomer || connection->is_cut || !may_leave(*connection)) continue;
      const int willing = willingness(*connection, now);
      if (willing > most) {
        most = willing;
        chosen = connection;
      }
    }
    return chosen;
  };
  Connection* leaves = choose([&](const Connection& connection) {
    return !connection.is_spare && (!is_crowded_address || connection.address == newcomer.address);
  });
  if (leaves != nullptr) return leaves->cut();
  newcomer.is_spare = true;
  newcomer.enter(Phase::header,
                 std::min<base::Duration>(kSpareDeadline, server.limits.header_deadline));
  if (spare < kSpareConnections / 2) return;
  leaves = choose([](const Connection& connection) { return connection.is_spare; });
  if (leaves != nullptr) leaves->cut();
}

void Listener::stop_accepting() { const sys::Fd given_back(MHD_quiesce_daemon(daemon_.get())); }

void Listener::run() {
  // A handler may wait for the loop in a test; the library must not be entered twice.
  if (running_) return;
  running_ = true;
  MHD_UNSIGNED_LONG_LONG wait_ms = 0;
  bool more = true;
  for (int round = 0; round < kRoundsMax && more; ++round) {
    MHD_run(daemon_.get());
    more = MHD_get_timeout(daemon_.get(), &wait_ms) == MHD_YES && wait_ms == 0;
  }
  running_ = false;
  if (more) run_soon();
}

void Listener::run_soon() {
  if (!daemon_ || again_) return;
  again_ = server.parts.loop.after(base::Duration(0), [this] {
    // Dropped first, so that the run may ask for the next one.
    Listener& self = *this;
    self.again_.reset();
    self.run();
  });
}

}  // namespace rest
