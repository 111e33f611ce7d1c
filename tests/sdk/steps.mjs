// SPDX-License-Identifier: MIT
// A list of named steps, run in order: each prints a line; the first that throws ends the run.
const steps = [];

export function step(name, run) {
	steps.push({ name, run });
}

export async function runSteps() {
	for (const { name, run } of steps) {
		try {
			await run();
		} catch (error) {
			console.log(`not ok - ${name}`);
			console.error(error);
			process.exit(1);
		}
		console.log(`ok - ${name}`);
	}
	console.log(`${steps.length} steps held`);
}

// The refusal that run() must end in, as the SDK reports it.
export async function refusal(run, status, code) {
	let error = null;
	try {
		await run();
	} catch (thrown) {
		error = thrown;
	}
	if (!error) throw new Error(`not refused; expected ${status} ${code}`);
	const inner = (error.details?.error?.innerError ?? error.details?.error?.innererror)?.code;
	if (error.statusCode !== status || (code && error.code !== code && inner !== code))
		throw new Error(`refused with ${error.statusCode} ${error.code}/${inner}; expected ${status} ${code}`, { cause: error });
	return error;
}
