/**
 * The image's health check: asks /readyz of the process in this container. Plain JavaScript without packages, since it
 * runs every few seconds. A command that serves no HTTP, such as init, has nothing to be asked and counts as healthy.
 */
const TIMEOUT_MS = 3_000;

const port = process.env.KAFKA_ROW_SENDER_HTTP_PORT;
if (port) {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    console.log(`${response.status} ${(await response.text()).slice(0, 500)}`);
    process.exitCode = response.ok ? 0 : 1;
  } catch (error) {
    console.error(`no answer from port ${port}: ${error.cause?.code ?? error.name}`);
    process.exitCode = 1;
  }
}
