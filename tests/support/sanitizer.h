// Whether this build has a sanitizer that replaces malloc and needs memory of its own.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KINGLET_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KINGLET_SANITIZED 1
#endif
#endif
#ifndef KINGLET_SANITIZED
#define KINGLET_SANITIZED 0
#endif
