// SPDX-License-Identifier: Apache-2.0
#include "netfw/dns/message.h"

#include <algorithm>

#include "common/base/text.h"

namespace netfw::dns {

namespace {

constexpr std::size_t kHeader = 12;
constexpr std::size_t kLabelMax = 63;
constexpr std::size_t kNameMax = 253;  // as text; 255 as wire
constexpr std::uint16_t kReply = 0x8000;
constexpr std::uint16_t kOpcode = 0x7800;
constexpr std::uint16_t kAuthoritative = 0x0400;
constexpr std::uint16_t kTruncated = 0x0200;
constexpr std::uint16_t kRecursionDesired = 0x0100;

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::size_t at() const { return at_; }
  bool is_good() const { return good_; }
  std::string_view from(std::size_t begin) const { return bytes_.substr(begin, at_ - begin); }

  std::uint8_t u8() {
    if (!good_ || at_ >= bytes_.size()) return fail();
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }
  std::uint16_t u16() {
    const std::uint16_t high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  void skip(std::size_t count) {
    if (!good_ || bytes_.size() - at_ < count) {
      fail();
      return;
    }
    at_ += count;
  }
  // Labels only; a pointer is no name of a question.
  std::string name() {
    std::string text;
    while (good_) {
      const std::uint8_t size = u8();
      if (!good_ || size == 0) break;
      if (size > kLabelMax || bytes_.size() - at_ < size || text.size() + size > kNameMax) {
        fail();
        break;
      }
      if (!text.empty()) text += '.';
      text += base::lower(bytes_.substr(at_, size));
      at_ += size;
    }
    return text;
  }

 private:
  std::uint8_t fail() {
    good_ = false;
    return 0;
  }
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool good_ = true;
};

void put_u16(std::string& out, std::uint16_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

void put_u32(std::string& out, std::uint32_t value) {
  put_u16(out, static_cast<std::uint16_t>(value >> 16));
  put_u16(out, static_cast<std::uint16_t>(value & 0xffff));
}

// Of a name that is known to be valid.
std::string wire_of(std::string_view name) {
  std::string out;
  if (!name.empty()) {
    for (const std::string_view label : base::split(name, '.')) {
      out += static_cast<char>(label.size());
      out += label;
    }
  }
  return out += '\0';
}

// The OPT record, wherever it stands among what follows the question.
void read_edns(Reader& reader, std::size_t records, Query& query) {
  for (std::size_t i = 0; i < records && reader.is_good(); ++i) {
    const std::size_t begin = reader.at();
    reader.name();
    const bool is_root = reader.at() - begin == 1;
    const std::uint16_t type = reader.u16();
    const std::uint16_t size = reader.u16();
    reader.u8();  // the upper part of a code: of replies
    const std::uint8_t version = reader.u8();
    reader.skip(2);
    reader.skip(reader.u16());
    if (!reader.is_good() || type != static_cast<std::uint16_t>(Type::opt)) continue;
    if (!is_root || query.has_edns) {
      query.wrong = Rcode::format_error;
      return;
    }
    query.has_edns = true;
    query.udp_size = std::clamp<std::size_t>(size, kUdpPlain, kUdpMax);
    if (version != 0) query.wrong = Rcode::bad_version;
  }
  if (!reader.is_good()) query.wrong = Rcode::format_error;
}

void put_record(std::string& out, const Query& query, const Record& record) {
  // The question's own name is in the message already.
  if (record.name == query.name && !query.question.empty()) {
    put_u16(out, 0xc000 | kHeader);
  } else {
    out += wire_of(record.name);
  }
  put_u16(out, static_cast<std::uint16_t>(record.type));
  put_u16(out, kClassIn);
  put_u32(out, record.ttl);
  put_u16(out, static_cast<std::uint16_t>(record.data.size()));
  out += record.data;
}

void put_opt(std::string& out, Rcode rcode) {
  out += '\0';
  put_u16(out, static_cast<std::uint16_t>(Type::opt));
  put_u16(out, kUdpMax);
  out += static_cast<char>(static_cast<std::uint16_t>(rcode) >> 4);
  out.append(5, '\0');  // version, flags, no options
}

std::string put_all(const Query& query, const Answer& answer, bool truncated) {
  std::string out;
  put_u16(out, query.id);
  std::uint16_t flags = kReply | (static_cast<std::uint16_t>(answer.rcode) & 0xf);
  if (answer.authoritative) flags |= kAuthoritative;
  if (truncated) flags |= kTruncated;
  if (query.recursion_desired) flags |= kRecursionDesired;
  put_u16(out, flags);
  put_u16(out, query.question.empty() ? 0 : 1);
  put_u16(out, static_cast<std::uint16_t>(answer.answers.size()));
  put_u16(out, static_cast<std::uint16_t>(answer.authority.size()));
  put_u16(out, static_cast<std::uint16_t>(answer.additional.size() + (query.has_edns ? 1 : 0)));
  out += query.question;
  for (const auto* section : {&answer.answers, &answer.authority, &answer.additional}) {
    for (const Record& record : *section) put_record(out, query, record);
  }
  if (query.has_edns) put_opt(out, answer.rcode);
  return out;
}

}  // namespace

std::optional<Query> read_query(std::string_view bytes) {
  if (bytes.size() < kHeader || bytes.size() > kQueryMax) return std::nullopt;
  Reader reader(bytes);
  Query query;
  query.id = reader.u16();
  const std::uint16_t flags = reader.u16();
  if ((flags & kReply) != 0) return std::nullopt;
  query.recursion_desired = (flags & kRecursionDesired) != 0;
  const std::uint16_t questions = reader.u16();
  std::size_t others = reader.u16();
  others += reader.u16();
  others += reader.u16();
  if ((flags & kOpcode) != 0) {
    query.wrong = Rcode::not_implemented;
    return query;
  }
  query.name = reader.name();
  query.type = reader.u16();
  query.qclass = reader.u16();
  if (questions != 1 || !reader.is_good()) {
    query.wrong = Rcode::format_error;
    return query;
  }
  query.question = reader.from(kHeader);
  read_edns(reader, others, query);
  return query;
}

base::Result<std::string> name_to_wire(std::string_view name) {
  const base::Error invalid{base::Code::invalid_argument,
                            "'" + std::string(name) +
                                "' is no name for DNS: labels have 1 to 63 "
                                "bytes, a name at most 253",
                            "dns_name_invalid"};
  if (name.empty() || name.size() > kNameMax) return invalid;
  for (const std::string_view label : base::split(name, '.')) {
    if (label.empty() || label.size() > kLabelMax) return invalid;
  }
  return wire_of(name);
}

Record address_record(std::string name, std::uint32_t ttl, const IpAddress& address) {
  const bool is_v4 = address.family == Family::v4;
  return {std::move(name), is_v4 ? Type::a : Type::aaaa, ttl,
          std::string(reinterpret_cast<const char*>(address.bytes.data()), is_v4 ? 4 : 16)};
}

Record srv_record(std::string name, std::uint32_t ttl, std::uint16_t port,
                  std::string_view target) {
  std::string data;
  put_u16(data, 0);  // priority
  put_u16(data, 0);  // weight
  put_u16(data, port);
  return {std::move(name), Type::srv, ttl, data + wire_of(target)};
}

std::string srv_target(const Record& record) {
  Reader reader(record.data);
  reader.skip(6);
  return reader.name();
}

Record ns_record(std::string name, std::uint32_t ttl, std::string_view server) {
  return {std::move(name), Type::ns, ttl, wire_of(server)};
}

Record soa_record(std::string name, std::uint32_t ttl, const Soa& soa) {
  std::string data = wire_of(soa.server) + wire_of(soa.mailbox);
  for (const std::uint32_t value : {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum}) {
    put_u32(data, value);
  }
  return {std::move(name), Type::soa, ttl, std::move(data)};
}

std::string write_reply(const Query& query, const Answer& answer, std::size_t limit) {
  std::string whole = put_all(query, answer, false);
  if (whole.size() <= limit) return whole;
  Answer less = answer;
  less.additional.clear();
  whole = put_all(query, less, false);
  if (whole.size() <= limit) return whole;
  less.answers.clear();
  less.authority.clear();
  return put_all(query, less, true);
}

}  // namespace netfw::dns
