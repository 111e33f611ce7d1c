// SPDX-License-Identifier: MIT
// What the host says about a key in a token: its URI (RFC 7512), and the key set's member
// cmkdisk.pkcs11. The URI that reaches a provider names the key and nothing else: which module to
// load and where the PIN lies are this host's business. A header could otherwise name any library
// to be loaded or any file to be read, before anything in it can be trusted. So a query in the key
// URL is refused; the operator's own stands in the settings.
#ifndef CMK_P11_CONFIG_H
#define CMK_P11_CONFIG_H

#include "kp_outcome.h"
#include "kp_scope.h"

#include <cmkdisk/keyprov.h>
#include <p11-kit/uri.h>

#define P11_ID_MAX 60 // bytes of CKA_ID: as hex digits it is a key version (CMK_VERSION_MAX)

struct p11_config {
	const char *text;	  // the key URL, for sentences; the host's
	P11KitUri *uri;		  // path attributes only; no object class but private or secret key
	char id[CMK_VERSION_MAX]; // the URI's id in hex, which pins the version; "" none
	char *module_path;	  // absolute, or NULL
	char *module_name;	  // as p11-kit spells it, or NULL
	char *pin_source;	  // absolute path of a file, or NULL
	char alg[CMK_ALG_MAX];	  // cmkdisk.pkcs11.alg: the only one to wrap with; "" any
	char *pin; // given by the person who mounts, of the host's secret memory; NULL none
	// Variables for the module, "NAME=value", NULL-terminated: the host's (struct
	// cmk_key_ref), then the key set's cmkdisk.pkcs11.environment. Owned; there may be secrets
	// among them, so they lie in lines, which is of the host's secret memory.
	char **environment;
	char *lines;
};

// Members of cmkdisk.pkcs11 in ref->config: "query" (the query attributes of RFC 7512 that stood in
// the operator's key URL: module-path, module-name, pin-source), "alg", "environment" (object of
// strings). Unknown members and attributes are refused. CMK_GRANTED, or CMK_MISCONFIGURED with the
// sentence; *out needs p11_config_free() in either case.
enum cmk_verdict p11_config_read(const struct cmk_host *host, const struct cmk_key_ref *ref,
	struct p11_config *out, struct kp_outcome *o) must_use;
void p11_config_free(const struct cmk_host *host, struct p11_config *c);

#endif
