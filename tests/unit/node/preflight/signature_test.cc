// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/signature.h"

#include "tests/support/check_result.h"

TEST_GROUP(Signature){};

TEST(Signature, what_a_device_carries_is_named) {
  struct Row {
    std::size_t offset;
    std::string bytes;
    const char* name;
  };
  const Row rows[] = {
      {0, "XFSB", "xfs"},
      {0x438, "\x53\xEF", "ext2/3/4"},
      {0x10040, "_BHRfS_M", "btrfs"},
      {0, "LUKS\xBA\xBE", "LUKS encryption"},
      {0x218, "LVM2 001", "LVM2 physical volume"},
      {0xFF6, "SWAPSPACE2", "swap"},
      {0x1000, "\xFC\x4E\x2B\xA9", "Linux RAID member"},
      {0x8001, "CD001", "ISO 9660"},
      {3, "NTFS    ", "NTFS"},
      {0x200, "EFI PART", "partition table (GPT)"},
      {0x1FE, "\x55\xAA", "partition table (MBR)"},
      {100, "anything", "unknown data"},
  };
  for (const Row& row : rows) {
    std::string head(node::preflight::kSignatureBytes, '\0');
    head.replace(row.offset, row.bytes.size(), row.bytes);
    STRCMP_EQUAL(row.name, node::preflight::signature_of(head).c_str());
  }
}

TEST(Signature, zeros_and_an_empty_file_are_blank) {
  STRCMP_EQUAL("", node::preflight::signature_of(std::string(4096, '\0')).c_str());
  STRCMP_EQUAL("", node::preflight::signature_of("").c_str());
}

TEST(Signature, a_fat_boot_sector_is_not_taken_for_a_partition_table) {
  std::string head(4096, '\0');
  head.replace(0x52, 8, "FAT32   ");
  head.replace(0x1FE, 2, "\x55\xAA");
  STRCMP_EQUAL("FAT", node::preflight::signature_of(head).c_str());
}
