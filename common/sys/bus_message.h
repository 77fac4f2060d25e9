// SPDX-License-Identifier: Apache-2.0
// What the service manager's messages look like: encoding, decoding, errors. Private to common/sys.
// Source: org.freedesktop.systemd1(5), sd_bus_message_append(3).
#pragma once

#include <systemd/sd-bus.h>

#include <string>
#include <vector>

#include "common/sys/bus.h"
#include "common/sys/handle.h"

namespace sys::bus {

using Message = Handle<sd_bus_message, sd_bus_message_unref>;
using Slot = Handle<sd_bus_slot, sd_bus_slot_unref>;

inline constexpr const char* kService = "org.freedesktop.systemd1";
inline constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
inline constexpr const char* kUnitPaths = "/org/freedesktop/systemd1/unit";
inline constexpr const char* kManagerInterface = "org.freedesktop.systemd1.Manager";
inline constexpr const char* kPropertiesInterface = "org.freedesktop.DBus.Properties";

// Appends an a(sv). Errors: invalid_argument unit_invalid.
base::Result<void> append_properties(sd_bus_message* message,
                                     const std::vector<UnitProperty>& properties);
base::Result<void> append_text(sd_bus_message* message, const std::string& text);
base::Result<void> append_texts(sd_bus_message* message, const std::vector<std::string>& texts);

// From the a{sv} of a GetAll over all interfaces. Errors: not_found unit_unknown.
base::Result<ServiceState> read_service(sd_bus_message* message);
// From the a(ssssssouso) of ListUnitsByPatterns.
base::Result<std::vector<UnitStatus>> read_units(sd_bus_message* message);

// What an error reply means.
base::Error error_of(const sd_bus_error& error);
// What a negative return of an sd-bus function means for a call.
base::Error failure_of(int result);

}  // namespace sys::bus
