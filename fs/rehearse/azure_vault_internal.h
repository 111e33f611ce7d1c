// SPDX-License-Identifier: MIT
// The members of a stage's vault; only azure_vault*.c include it.
#ifndef CMK_AZURE_VAULT_INTERNAL_H
#define CMK_AZURE_VAULT_INTERNAL_H

#include "azure_vault.h"
#include "child.h"
#include "stage.h"

struct azure_vault {
	struct stage *stage;
	struct child process;
	char state[300];
	char client[64], object[64], secret_file[320], slow[32];
	char *backup; // the key's file; owned
};

void azure_vault_end(struct azure_vault *v); // the process

#endif
