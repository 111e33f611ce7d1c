/* SPDX-License-Identifier: MIT */
/*
 * cmkdisk key provider plug-ins: the whole contract. See cmkdisk-provider(3).
 *
 * A provider speaks to one kind of key store (a cloud vault, an HSM, a file). It is a shared
 * object named cmkdisk-keyprov-NAME.so that exports one function, cmk_keyprov_init(), made by
 * CMK_KEYPROV_REGISTER(). It is loaded by a key agent: a small process that holds no disk key and
 * serves exactly one key URL with one identity. Hence
 *
 *  - every callback is called from one and the same thread, one at a time; threads of the
 *    plug-in's own may call log(), time_left(), cancelled() and wall_time() of the host, nothing
 *    else;
 *  - a callback may block, but not beyond its deadline: an agent that misses it is killed, and
 *    the question counts as CMK_UNREACHABLE;
 *  - a crash costs the agent, not the disk.
 *
 * The life of a plug-in:
 *
 *     cmk_keyprov_init()                    the table is looked at; no key store may be touched
 *     open()                                again at the next question if it was not granted
 *       unwrap() wrap() describe()          any number, in any order
 *       watch() ... unwatch()               between questions
 *     close()                               if the agent ends in an orderly way
 *
 * A process answers 4096 questions at most. Then it is ended in the orderly way, and the next
 * question goes to a new one, which begins with open(): so what a vendor's library leaks is given
 * back. What must outlive the process is told with note() of struct cmk_host.
 *
 * The process around it: standard input and output are /dev/null, standard error is the daemon's;
 * of the environment only PATH, LANG, LC_ALL, LC_CTYPE and TZ are there; the working directory is
 * /; SIGINT, SIGHUP and SIGPIPE are ignored; it is a session of its own without a terminal; it
 * cannot dump core. Every other descriptor that it finds open belongs to the agent: a plug-in that
 * reads, writes or closes it is killed. Child processes of the plug-in end with the agent. The
 * agent ends by _exit(): handlers set with atexit() do not run.
 *
 * Versioning. struct cmk_keyprov, cmk_host and cmk_key_ref grow only at the end and say their size
 * first; cmk_key_info and cmk_wrapped never change (more would be another struct). The host
 * copies the smaller of its own and the plug-in's size and treats the rest as absent; absent
 * (NULL) callbacks have the documented default. So a plug-in built against an older header loads,
 * and so does one built against a newer header that merely appended something. The API version
 * rises only when the meaning of what exists changes: a plug-in with a higher one than the host's
 * is refused. Before a plug-in uses a member of struct cmk_host or struct cmk_key_ref that this
 * version's first release did not have, it asks CMK_HAS(). Neither side may be compiled with
 * -fshort-enums.
 */
#ifndef CMKDISK_KEYPROV_H
#define CMKDISK_KEYPROV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CMK_KEYPROV_API_VERSION 1u

/* Limits, the same on both sides for ever. */
#define CMK_VERSION_MAX 128   /* chars of a key version, including NUL */
#define CMK_ALG_MAX 32	      /* chars of a JWA algorithm name, including NUL */
#define CMK_WRAPPED_MAX 4096  /* bytes of a wrapped secret */
#define CMK_PLAIN_MAX 64      /* bytes of a secret that the host wraps */
#define CMK_LEVEL_MAX 64      /* chars of a recovery level, including NUL */
#define CMK_KTY_MAX 16	      /* chars of a key type, including NUL */
#define CMK_NOTE_NAME_MAX 81  /* chars of a note's name, including NUL */
#define CMK_NOTE_VALUE_MAX 80 /* bytes of a note, including NUL */

/*
 * What the host must do next. Closed: a provider never invents one. A value that is not listed
 * counts as CMK_UNREACHABLE. When in doubt between DENIED and UNREACHABLE, ask the store a second
 * time; what remains in doubt is UNREACHABLE.
 */
enum cmk_verdict {
	CMK_GRANTED = 0,     /* done, and the key store itself did it just now */
	CMK_DENIED = 1,	     /* the store, or its identity service, says no: see enum cmk_reason */
	CMK_UNREACHABLE = 2, /* no answer that says anything about the key: time-out, network,
				throttling, device absent. The host asks again. */
	CMK_MISCONFIGURED = 3, /* this host's set-up is wrong (unreadable credential file, malformed
				  URL): no time will mend it, and it says nothing about the key */
	CMK_BAD_BLOB = 4       /* the key was usable, but these wrapped bytes are not its work */
};

/* Why CMK_DENIED. */
enum cmk_reason {
	CMK_REASON_NONE = 0,
	CMK_REASON_DISABLED = 1,      /* the key or this version of it is disabled */
	CMK_REASON_DELETED = 2,	      /* it is not there (any more); confirmed, not a glitch */
	CMK_REASON_FORBIDDEN = 3,     /* the identity has no right to it */
	CMK_REASON_NOT_PERMITTED = 4, /* the key exists but must not be used for this operation */
	CMK_REASON_IDENTITY = 5	      /* the identity itself is gone or refused */
};

enum cmk_log_level {
	CMK_LOG_ERROR = 0,   /* a person must act */
	CMK_LOG_WARNING = 1, /* a person may have to act */
	CMK_LOG_NOTICE = 2,  /* worth a line in normal operation */
	CMK_LOG_DEBUG = 3    /* for the author of the plug-in */
};

/* Not 0 when the struct at p, which begins with struct_size, reaches to the end of the member. */
#define CMK_HAS(p, type, member) ((p)->struct_size >= offsetof(type, member) + sizeof((p)->member))

#if defined(__GNUC__)
#define CMK_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define CMK_PRINTF(f, a)
#endif

/*
 * Services of the host. The table outlives the plug-in: keep the pointer that open() gets. Every
 * function takes the table itself first. Strings are copied before the call returns; texts are
 * UTF-8, one line, cut at 500 bytes; control characters in them are replaced. No function here
 * fails in a way that the plug-in must look at, but for secret_alloc.
 */
struct cmk_host {
	size_t struct_size;
	uint32_t api_version;
	void *ctx; /* the host's own */

	/* A line for the log. Never a secret, a token or a PIN. */
	void (*log)(const struct cmk_host *host, enum cmk_log_level level, const char *fmt, ...)
		CMK_PRINTF(3, 4);

	/* The one sentence for people that goes with the verdict about to be returned: names the
	   key and the store, what was answered, and what to do. Reason matters for CMK_DENIED only.
	   The last call within a callback counts. */
	void (*explain)(const struct cmk_host *host, enum cmk_reason reason, const char *fmt, ...)
		CMK_PRINTF(3, 4);

	/* The store asked not to be asked again before this (with CMK_UNREACHABLE). */
	void (*retry_after)(const struct cmk_host *host, uint32_t milliseconds);

	/* The store's own id of the request, for the log and for its support. */
	void (*request_id)(const struct cmk_host *host, const char *id);

	/* Locked, undumpable memory, zero-filled, len 1..524288; NULL if there is none. For PINs,
	   tokens and private keys. secret_free wipes; NULL allowed. The plug-in owns what it
	   allocated. */
	void *(*secret_alloc)(const struct cmk_host *host, size_t len);
	void (*secret_free)(const struct cmk_host *host, void *p);

	/* Milliseconds left for the present callback, 0 when there are none. A little less than the
	   host really waits, so that a callback that minds it can still say CMK_UNREACHABLE and
	   why. Meant as the time-out of the next system call. */
	uint32_t (*time_left)(const struct cmk_host *host);

	/* Not 0 when the answer is no longer wanted: return soon, with any verdict. For loops that
	   poll; nothing is lost by never asking. */
	int (*cancelled)(const struct cmk_host *host);

	/* Unix seconds. Use this, not time(): a rehearsal may run on a clock of its own. */
	int64_t (*wall_time)(const struct cmk_host *host);

	/* Appended after the first release: ask CMK_HAS(). What must not be forgotten with this
	   process, such as a PIN that was refused: kept as long as this mount or command lasts, in
	   locked memory, and told to every process of this plug-in, whatever its key, that is
	   started later: in the environment of struct cmk_key_ref, a line CMKDISK_NOTE=name=value
	   for each. It counts from before this call returns: a crash right after it loses nothing.
	   name: [a-z0-9-], shorter than CMK_NOTE_NAME_MAX; what is no such name is not kept. value:
	   one line of text, cut to CMK_NOTE_VALUE_MAX, in place of what the name had; "" forgets
	   it. At most 64 and some 4 KiB of them are kept for a plug-in; the oldest go. A
	   process that runs already when another notes something else is closed before its next
	   question, and one that is told takes its place. */
	void (*note)(const struct cmk_host *host, const char *name, const char *value);
};

/* What describe() tells of one key version. Zero-filled by the host; leave unknown what you do not
 * know. */
struct cmk_key_info {
	char version[CMK_VERSION_MAX];	    /* the version described */
	char kty[CMK_KTY_MAX];		    /* "RSA", "RSA-HSM", "oct", "oct-HSM" */
	uint32_t bits;			    /* size of the modulus or key; 0 unknown */
	int32_t enabled;		    /* 1 yes, 0 no, -1 unknown */
	int64_t nbf;			    /* not before, Unix seconds; 0 none */
	int64_t exp;			    /* expires, Unix seconds; 0 none */
	int64_t created;		    /* Unix seconds; 0 unknown */
	char recovery_level[CMK_LEVEL_MAX]; /* as the store spells it; "" unknown */
};

/* What wrap() makes. Zero-filled by the host. */
struct cmk_wrapped {
	char version[CMK_VERSION_MAX]; /* the key version that wrapped it */
	char alg[CMK_ALG_MAX];	       /* JWA: "RSA-OAEP-256", "RSA-OAEP", "A256KW", ... */
	size_t len;		       /* bytes used of data */
	uint8_t data[CMK_WRAPPED_MAX];
};

/*
 * How a key is named. All strings are the host's, never NULL (but for environment), and live until
 * close(). The struct itself lives only during open().
 */
struct cmk_key_ref {
	size_t struct_size;
	const char *key_url; /* as the user wrote it; its scheme is one of the plug-in's */
	const char *config;  /* the key set, a JSON object; "{}" without one */
	const char *disk;    /* label for the store's own log, or "" */

	/* Appended after the first release: ask CMK_HAS(). What the user's own environment says
	   about signing in and getting there, as "NAME=value", NULL-terminated: AZURE_*,
	   IDENTITY_*, MSI_*, IMDS_ENDPOINT, HTTPS_PROXY (also in small letters), ALL_PROXY and
	   NO_PROXY (both cases), SSL_CERT_FILE and SSL_CERT_DIR for keys whose scheme is https; for
	   pkcs11 keys, what PKCS#11 modules of the field read (SOFTHSM2_CONF and others, see
	   cmkdisk-pkcs11(7)), and CMKDISK_PIN: the PIN that a person gave for this key; and for
	   every key a CMKDISK_NOTE for each note, see note() of struct cmk_host. In locked
	   memory of the host's, because there are secrets among them: never logged, copied into
	   secret_alloc() only. What a library reads nowhere but in the process's own environment,
	   as PKCS#11 modules do, a plug-in may put there just before it loads the library: the
	   agent's environment is its own. NULL: there is nothing to tell. */
	const char *const *environment;
};

/*
 * The plug-in itself: one static object, not const, because CMK_KEYPROV_REGISTER writes its first
 * two members. In C use designated initialisers. C++ has none before C++20: list the members in
 * this order, beginning with 0, 0, or assign them in a function whose result initialises the
 * object. Functions in it must not throw.
 */
struct cmk_keyprov {
	/* Filled by CMK_KEYPROV_REGISTER; leave them 0. */
	size_t struct_size;
	uint32_t api_version;

	const char *name;	 /* [a-z0-9-]{1,32}; equals NAME in the file name. Required. */
	const char *version;	 /* of the plug-in. Required. */
	const char *description; /* one line. Required. */
	const char *schemes; /* URL schemes it serves, space-separated, without colons. Required. */

	/* Get hold of the key: parse the URL, sign in, open a session. *key is handed to the other
	   callbacks and may be NULL. Anything but CMK_GRANTED leaves *key untouched and nothing to
	   release; open() is then called again for the next question. Must not take a usable key
	   for granted: opening a disabled key is fine. Required. */
	enum cmk_verdict (*open)(
		const struct cmk_host *host, const struct cmk_key_ref *ref, void **key);

	/* Release what open() made. Has 200 ms. Required. */
	void (*close)(void *key);

	/* Unwrap `wrapped` (made by this version with this alg) into plain, a locked buffer of the
	   host's of *plain_len (CMK_PLAIN_MAX) bytes; set *plain_len to the true length, 1 to
	   CMK_PLAIN_MAX: a longer one is CMK_BAD_BLOB. CMK_GRANTED is the proof on
	   which a lease lives: the key store must have performed it now. Never answer from a cache
	   or a local copy of a key. version is "" only in `cmkdisk keyset check`, where none is
	   known: the newest is to be asked. A provider that cannot do that answers
	   CMK_MISCONFIGURED. Required. */
	enum cmk_verdict (*unwrap)(void *key, const char *version, const char *alg,
		const uint8_t *wrapped, size_t wrapped_len, uint8_t *plain, size_t *plain_len);

	/* Wrap plain (1 to CMK_PLAIN_MAX bytes) under the newest usable version; all of version,
	   alg and data are to be filled. Absent: the provider cannot make disks. */
	enum cmk_verdict (*wrap)(
		void *key, const uint8_t *plain, size_t plain_len, struct cmk_wrapped *out);

	/* Attributes of a version, or of the newest when version is "". Must work where the store
	   permits it even when the key is disabled. Absent, or not CMK_GRANTED: expiry and rotation
	   cannot be seen. */
	enum cmk_verdict (*describe)(void *key, const char *version, struct cmk_key_info *out);

	/* A descriptor that becomes readable when the key may have changed, so that the host asks
	   at once instead of at the next interval; -1 if there is none now. Asked for again before
	   every wait, so it must be cheap. The plug-in owns it. Absent: the host only polls. */
	int (*watch)(void *key);

	/* Called when the descriptor was readable: drain it, or open another. Heeded at most ten
	   times a second. Required if watch is present. */
	void (*unwatch)(void *key);
};

#define CMK_KEYPROV_SYMBOL "cmk_keyprov_init"
typedef const struct cmk_keyprov *(*cmk_keyprov_init_fn)(void);

#ifdef __cplusplus
#define CMK_KEYPROV_EXTERN extern "C"
#else
#define CMK_KEYPROV_EXTERN extern
#endif

/*
 * Put once at the end of the plug-in, outside any namespace, without a semicolon, with the name of
 * its static (non-const) struct cmk_keyprov.
 */
#define CMK_KEYPROV_REGISTER(table)                                                          \
	CMK_KEYPROV_EXTERN __attribute__((visibility("default"))) const struct cmk_keyprov * \
	cmk_keyprov_init(void);                                                              \
	const struct cmk_keyprov *cmk_keyprov_init(void)                                     \
	{                                                                                    \
		(table).struct_size = sizeof(table);                                         \
		(table).api_version = CMK_KEYPROV_API_VERSION;                               \
		return &(table);                                                             \
	}

#ifdef __cplusplus
}
#endif

#endif
