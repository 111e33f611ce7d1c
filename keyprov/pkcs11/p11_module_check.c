// SPDX-License-Identifier: MIT
// What a module must have before a function of it is called; see p11_module.h.
#include "p11_module.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define OF(name)                                                \
	{                                                       \
#name, offsetof(struct _CK_FUNCTION_LIST, name) \
	}

const char *p11_module_missing(const CK_FUNCTION_LIST *f)
{
	static const struct {
		const char *name;
		size_t at;
	} used[] = {OF(C_Initialize), OF(C_Finalize), OF(C_GetInfo), OF(C_GetSlotList),
		OF(C_GetSlotInfo), OF(C_GetTokenInfo), OF(C_GetMechanismInfo), OF(C_OpenSession),
		OF(C_CloseSession), OF(C_GetSessionInfo), OF(C_Login), OF(C_CreateObject),
		OF(C_DestroyObject), OF(C_GetAttributeValue), OF(C_SetAttributeValue),
		OF(C_FindObjectsInit), OF(C_FindObjects), OF(C_FindObjectsFinal), OF(C_EncryptInit),
		OF(C_Encrypt), OF(C_DecryptInit), OF(C_Decrypt), OF(C_GenerateKey),
		OF(C_GenerateKeyPair), OF(C_WrapKey), OF(C_UnwrapKey)};
	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
		void (*function)(void);
		memcpy(&function, (const char *)f + used[i].at, sizeof(function));
		if (!function)
			return used[i].name;
	}
	return NULL;
}

bool p11_module_has_list(void *handle)
{
	CK_C_GetFunctionList get = NULL;
	CK_FUNCTION_LIST *list = NULL;
	void *symbol = handle ? dlsym(handle, "C_GetFunctionList") : NULL;
	memcpy(&get, &symbol, sizeof(get));
	// What cannot be loaded or says no is p11-kit's to explain.
	return !get || get(&list) != CKR_OK || list;
}
