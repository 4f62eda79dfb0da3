// Files and folders to remove when a signal ends the process.
#pragma once

namespace kinglet::convert {

// Enters the path of a file, or of a folder that holds nothing but what is entered too, that a fatal SIGINT, SIGTERM or
// SIGHUP removes, and ignores SIGXFSZ so that a size limit is an error of write(). Only signals whose disposition is the
// default one are touched, and they get it back when the list is empty again. Returns the entry's number, or -1 when the
// list is full. Thread-safe. `path` must live until forget_file.
int remember_file(const char* path);
void forget_file(int entry);

}  // namespace kinglet::convert
