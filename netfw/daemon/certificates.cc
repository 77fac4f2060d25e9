// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/certificates.h"

#include <sys/stat.h>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/sys/tls.h"

namespace netfw {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;
constexpr std::chrono::hours kOwnLifetime{24 * 825};
constexpr std::chrono::hours kOwnRenewal{24 * 30};

base::Result<sys::ServerCertificate> read_usable(const std::filesystem::path& file) {
  const base::Secret text(TRY(base::read_file(file, kFileBytesMax)));
  auto out = TRY(sys::read_server_certificate(text.reveal()));
  const auto refuse = [](std::string detail) {
    return base::Error{.code = base::Code::invalid_argument,
                       .detail = std::move(detail),
                       .reason = "certificate_unusable"};
  };
  if (out.left <= std::chrono::seconds(0)) return refuse("it has expired");
  if (out.pem.reveal().size() > kCertificateBytesMax)
    return refuse("it has more than 15,000 bytes");
  return out;
}

}  // namespace

// Whether what is served from the file changed.
bool CertificateFolder::look_at(const std::filesystem::path& file, const Mark& mark) {
  Source& source = sources_[file.filename().string()];
  if (source.mark == mark) return false;
  source.mark = mark;
  auto read = read_usable(file);
  if (!read) {
    base::log::warning("NETFW_CERTIFICATE_REFUSED", "left out, or the one before it goes on",
                       {{"file", file.string()}}, read.error());
    return false;
  }
  source.certificate = {std::move(read->pem), std::move(read->sha1)};
  source.names = std::move(read->names);
  base::log::notice("NETFW_CERTIFICATE_READ", "served from now on",
                    {{"file", file.string()},
                     {"names", std::to_string(source.names.size())},
                     {"days", std::to_string(read->left / std::chrono::hours(24))}});
  return true;
}

base::Result<Certificate> CertificateFolder::own_certificate() {
  const auto mine = skeleton_.certificate_folder / kDefaultCertificate;
  auto kept = read_usable(mine);
  if (kept && kept->left > kOwnRenewal && kept->names.empty()) {
    return Certificate{std::move(kept->pem), std::move(kept->sha1)};
  }
  const sys::KeyPair made =
      TRY(sys::make_self_signed("gestalt, no certificate", {"127.0.0.1"}, kOwnLifetime));
  const base::Secret both(made.certificate_pem + std::string(made.key_pem.reveal()));
  auto read = TRY(sys::read_server_certificate(both.reveal()));
  return Certificate{std::move(read.pem), std::move(read.sha1)};
}

base::Result<bool> CertificateFolder::refresh() {
  bool changed = !is_written_;
  std::map<std::string, Source> before = std::move(sources_);
  sources_.clear();
  std::error_code ignored;  // no folder is an empty one
  for (const auto& entry : std::filesystem::directory_iterator(source_, ignored)) {
    const std::string name = entry.path().filename().string();
    struct stat status = {};
    if (!name.ends_with(".pem") || stat(entry.path().c_str(), &status) != 0) continue;
    if (!S_ISREG(status.st_mode) || sources_.size() >= kFilesMax) continue;
    if (auto known = before.extract(name)) sources_.insert(std::move(known));
    const Mark mark{status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec,
                    static_cast<std::uint64_t>(status.st_size), status.st_ino};
    changed = look_at(entry.path(), mark) || changed;
  }
  changed = changed || !before.empty();  // what is left there has gone
  if (!changed) return false;
  CertificateSet set;
  std::set<std::string> names;
  for (const auto& [name, source] : sources_) {
    if (source.certificate.pem.empty()) continue;
    set[name == kDefaultCertificate ? name : certificate_file(name)] = source.certificate;
    names.insert(source.names.begin(), source.names.end());
  }
  if (!set.contains(kDefaultCertificate)) set[kDefaultCertificate] = TRY(own_certificate());
  is_written_ = false;
  TRY(write_certificates(skeleton_, set));
  is_written_ = true;
  set_ = std::move(set);
  names_ = std::move(names);
  return true;
}

}  // namespace netfw
