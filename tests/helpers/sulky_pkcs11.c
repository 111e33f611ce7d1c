// SPDX-License-Identifier: MIT
// A PKCS#11 module without slots that answers C_Initialize with the number in SULKY_SAYS (0x30 if
// there is none), and insists on the initialisation string in SULKY_WANTS, if there is one.
#include <p11-kit/pkcs11.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static CK_RV initialize(void *args)
{
	const CK_C_INITIALIZE_ARGS *a = args;
	const char *says = getenv("SULKY_SAYS");
	const char *wants = getenv("SULKY_WANTS");
	if (wants && (!a->pReserved || strcmp(a->pReserved, wants) != 0))
		return CKR_ARGUMENTS_BAD;
	return says ? strtoul(says, NULL, 0) : CKR_DEVICE_ERROR;
}

static CK_RV finalize(void *reserved)
{
	(void)reserved;
	return CKR_OK;
}

static CK_RV get_info(CK_INFO *info)
{
	memset(info, ' ', sizeof(*info));
	return CKR_OK;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
	(void)present, (void)slots;
	*count = 0;
	return CKR_OK;
}

// In the place of what nobody calls without a slot.
static CK_RV unsupported(void)
{
	return CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	static CK_FUNCTION_LIST all;
	CK_RV (*const stub)(void) = unsupported;
	for (size_t at = offsetof(CK_FUNCTION_LIST, C_Initialize); at < sizeof(all);
		at += sizeof(stub))
		memcpy((char *)&all + at, &stub, sizeof(stub));
	all.version = (CK_VERSION){2, 40};
	all.C_Initialize = initialize;
	all.C_Finalize = finalize;
	all.C_GetInfo = get_info;
	all.C_GetSlotList = get_slot_list;
	*list = &all;
	return CKR_OK;
}
