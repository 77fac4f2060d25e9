// SPDX-License-Identifier: Apache-2.0
#include "netfw/nftables/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace netfw::nft {
namespace {

constexpr int kBufferBytes = 16 << 20;  // a whole batch must fit
constexpr timeval kPatience = {5, 0};
constexpr unsigned kListTriesMax = 10;
constexpr std::size_t kReplyBytes = 64 << 10;

void append(std::string& out, std::uint16_t type, std::uint16_t flags, std::uint32_t sequence,
            std::uint8_t family, std::uint16_t resource, std::string_view attributes) {
  nlmsghdr head = {};
  nfgenmsg generic = {};
  head.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(sizeof generic) + attributes.size());
  head.nlmsg_type = type;
  head.nlmsg_flags = flags;
  head.nlmsg_seq = sequence;
  generic.nfgen_family = family;
  generic.version = NFNETLINK_V0;
  generic.res_id = htons(resource);
  out.append(reinterpret_cast<const char*>(&head), sizeof head);
  out.append(reinterpret_cast<const char*>(&generic), sizeof generic);
  out.append(attributes);
  out.resize(NLMSG_ALIGN(out.size()), '\0');
}

constexpr std::uint16_t nft_type(std::uint16_t type) {
  return static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | type);
}

// The messages of one datagram. Returns false when `visit` does.
template <class Visit>
bool for_each_message(std::string_view bytes, Visit visit) {
  while (bytes.size() >= sizeof(nlmsghdr)) {
    nlmsghdr head = {};
    memcpy(&head, bytes.data(), sizeof head);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > bytes.size()) return true;
    if (!visit(head, bytes.substr(sizeof head, head.nlmsg_len - sizeof head))) return false;
    bytes.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(head.nlmsg_len), bytes.size()));
  }
  return true;
}

int error_of(std::string_view payload) {
  nlmsgerr error = {};
  if (payload.size() < sizeof error) return EPROTO;
  memcpy(&error, payload.data(), sizeof error);
  return -error.error;
}

base::Result<std::string_view> receive(int fd, std::string& buffer) {
  ssize_t got = -1;
  do {
    got = recv(fd, buffer.data(), buffer.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return base::os_error(errno == EAGAIN ? ETIMEDOUT : errno, "nf_tables: receive");
  return std::string_view(buffer).substr(0, static_cast<std::size_t>(got));
}

}  // namespace

base::Result<Socket> Socket::open() {
  sys::Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd.is_open()) return base::os_error(errno, "nf_tables: socket");
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  return Socket(std::move(fd));
}

base::Result<void> Socket::commit(const std::vector<Message>& messages) {
  if (messages.empty()) return {};
  std::string batch;
  const std::uint32_t first = sequence_;
  append(batch, NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, sequence_++, AF_UNSPEC, NFNL_SUBSYS_NFTABLES,
         "");
  for (const Message& message : messages) {
    const bool last = &message == &messages.back();
    append(batch, nft_type(message.type),
           static_cast<std::uint16_t>(message.flags | NLM_F_REQUEST | (last ? NLM_F_ACK : 0)),
           sequence_++, message.family, 0, message.attributes.bytes());
  }
  const std::uint32_t last = sequence_ - 1;
  append(batch, NFNL_MSG_BATCH_END, NLM_F_REQUEST, sequence_++, AF_UNSPEC, NFNL_SUBSYS_NFTABLES,
         "");
  if (send(fd_.get(), batch.data(), batch.size(), 0) != static_cast<ssize_t>(batch.size())) {
    return base::os_error(errno, "nf_tables: send");
  }
  // Refused messages are answered in order, then the last one; a batch that is refused as a whole
  // is answered by its first.
  int error = 0;
  std::uint32_t where = 0;
  std::string buffer(kReplyBytes, '\0');
  for (bool done = false; !done;) {
    for_each_message(TRY(receive(fd_.get(), buffer)), [&](const nlmsghdr& head,
                                                          std::string_view payload) {
      if (head.nlmsg_type != NLMSG_ERROR || head.nlmsg_seq < first || head.nlmsg_seq > last + 1) {
        return true;
      }
      const int code = error_of(payload);
      if (code != 0 && error == 0) {
        error = code;
        where = head.nlmsg_seq - first;
      }
      done = done || head.nlmsg_seq >= last || (head.nlmsg_seq == first && code != 0);
      return true;
    });
  }
  if (error != 0) return base::os_error(error, "nf_tables: message " + std::to_string(where));
  return {};
}

// Whether the listing is whole.
base::Result<bool> Socket::list_once(const Message& request,
                                     const std::function<void(std::string_view)>& visit) {
  std::string text;
  const std::uint32_t sequence = sequence_++;
  append(text, nft_type(request.type),
         static_cast<std::uint16_t>(request.flags | NLM_F_REQUEST | NLM_F_DUMP), sequence,
         request.family, 0, request.attributes.bytes());
  if (send(fd_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return base::os_error(errno, "nf_tables: send");
  }
  bool whole = true;
  int error = 0;
  std::string buffer(kReplyBytes, '\0');
  for (bool done = false; !done;) {
    for_each_message(
        TRY(receive(fd_.get(), buffer)), [&](const nlmsghdr& head, std::string_view payload) {
          if (head.nlmsg_seq != sequence) return true;
          whole = whole && (head.nlmsg_flags & NLM_F_DUMP_INTR) == 0;
          if (head.nlmsg_type == NLMSG_ERROR) error = error_of(payload);
          done = done || head.nlmsg_type == NLMSG_ERROR || head.nlmsg_type == NLMSG_DONE;
          if (!done && payload.size() >= sizeof(nfgenmsg)) {
            visit(payload.substr(NLMSG_ALIGN(sizeof(nfgenmsg))));
          }
          return true;
        });
  }
  if (error == EINTR || error == EAGAIN) return false;
  if (error != 0) return base::os_error(error, "nf_tables: list");
  return whole;
}

base::Result<void> Socket::list(const Message& request,
                                const std::function<void(std::string_view attributes)>& visit) {
  for (unsigned i = 0; i < kListTriesMax; ++i) {
    std::vector<std::string> objects;
    const bool whole = TRY(
        list_once(request, [&](std::string_view attributes) { objects.emplace_back(attributes); }));
    if (!whole) continue;
    for (const std::string& object : objects) visit(object);
    return {};
  }
  return base::os_error(EAGAIN, "nf_tables: the rules change all the time");
}

}  // namespace netfw::nft
