// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/signature.h"

#include <algorithm>
#include <array>

namespace node::preflight {

namespace {

using namespace std::string_view_literals;

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  std::string_view name;
};

// Filesystems come before partition tables: a FAT boot sector also ends in 55 AA.
constexpr std::array kSignatures = {
    Signature{0, "XFSB"sv, "xfs"},
    Signature{0x438, "\x53\xEF"sv, "ext2/3/4"},
    Signature{0x10040, "_BHRfS_M"sv, "btrfs"},
    Signature{0, "LUKS\xBA\xBE"sv, "LUKS encryption"},
    Signature{0x218, "LVM2 001"sv, "LVM2 physical volume"},
    Signature{0x18, "LVM2 001"sv, "LVM2 physical volume"},
    Signature{0xFF6, "SWAPSPACE2"sv, "swap"},
    Signature{0x1000, "\xFC\x4E\x2B\xA9"sv, "Linux RAID member"},
    Signature{0, "\xFC\x4E\x2B\xA9"sv, "Linux RAID member"},
    Signature{0, "hsqs"sv, "squashfs"},
    Signature{0x8001, "CD001"sv, "ISO 9660"},
    Signature{3, "NTFS    "sv, "NTFS"},
    Signature{0x52, "FAT32   "sv, "FAT"},
    Signature{0x36, "FAT"sv, "FAT"},
    Signature{0x10034, "ReIsEr"sv, "reiserfs"},
    Signature{0x200, "EFI PART"sv, "partition table (GPT)"},
    Signature{0x1FE, "\x55\xAA"sv, "partition table (MBR)"},
};

bool holds(std::string_view head, const Signature& signature) {
  return head.size() >= signature.offset + signature.bytes.size() &&
         head.substr(signature.offset, signature.bytes.size()) == signature.bytes;
}

}  // namespace

std::string signature_of(std::string_view head) {
  for (const Signature& signature : kSignatures) {
    if (holds(head, signature)) return std::string(signature.name);
  }
  const std::string_view start = head.substr(0, 4096);
  const bool blank = std::all_of(start.begin(), start.end(), [](char byte) { return byte == 0; });
  return blank ? "" : "unknown data";
}

}  // namespace node::preflight
