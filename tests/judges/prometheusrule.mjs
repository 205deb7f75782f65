// Judges PrometheusRule objects by the operator's own schema: a JSON list on stdin, one line on stderr per object it
// refuses, exit 1 if there was one.
import { PrometheusRule } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const objects = JSON.parse(Buffer.concat(chunks).toString("utf8"));
let refused = 0;
for (const object of objects) {
  try {
    if (!PrometheusRule.is(object)) throw new Error("is no PrometheusRule");
    new PrometheusRule(object).validate();
  } catch (error) {
    refused += 1;
    console.error(`${object?.metadata?.name}: ${error.message}`);
  }
}
console.log(`${objects.length - refused} taken, ${refused} refused`);
process.exit(refused ? 1 : 0);
