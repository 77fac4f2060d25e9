// SPDX-License-Identifier: Apache-2.0
// The operator's certificates for port 443: PEM files in a folder, checked and handed on.
//
// Used by the engine's ticks. A file is a certificate, its chain and its key; which hosts it is for
// stands in it. default.pem is for clients that name no host; without it the node makes one for
// itself, so that the https frontend is always there and needs no reload for its first certificate.
// 1. A file that cannot be used, or has expired, changes nothing: what was read from it before goes
// on, and the log says why.
// 2. A file is read again only when its size, time or inode changed.
// Threads: one at a time.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "netfw/haproxy/certificates.h"
#include "netfw/haproxy/config.h"

namespace netfw {

class CertificateFolder {
 public:
  static constexpr std::size_t kFilesMax = 1000;

  CertificateFolder(std::filesystem::path source, LbSkeleton skeleton)
      : source_(std::move(source)), skeleton_(std::move(skeleton)) {}

  // Looks at the folder and writes HAProxy's copies when something changed, and says whether it
  // did. Errors: os errors of writing, and of making the node's own certificate.
  base::Result<bool> refresh();
  const CertificateSet& set() const { return set_; }
  // Host names that they are for, in lower case; the node's own certificate is for none.
  const std::set<std::string>& names() const { return names_; }

 private:
  struct Mark {
    std::int64_t time_ns = 0;
    std::uint64_t size = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };
  struct Source {
    Mark mark;
    Certificate certificate;  // empty until a good one was seen
    std::vector<std::string> names;
  };
  bool look_at(const std::filesystem::path& file, const Mark& mark);
  base::Result<Certificate> own_certificate();

  std::filesystem::path source_;
  LbSkeleton skeleton_;
  std::map<std::string, Source> sources_;
  CertificateSet set_;
  std::set<std::string> names_;
  bool is_written_ = false;
};

}  // namespace netfw
