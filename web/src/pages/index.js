// Which page an address means.
import { Alerts } from './alerts.js';
import { Audit } from './audit.js';
import { Charts } from './charts.js';
import { ConfigPage } from './config.js';
import { Dead } from './dead.js';
import { Flow } from './flow.js';
import { Flows } from './flows.js';
import { JobPage } from './job.js';
import { Missing } from './missing.js';
import { Overview } from './overview.js';
import { Queue } from './queue.js';
import { Schedules } from './schedules.js';
import { Settings } from './settings.js';
import { Workers } from './workers.js';

const PLAIN = {
  dead: [Dead, 'Dead letters'],
  schedules: [Schedules, 'Schedules'],
  workers: [Workers, 'Workers'],
  charts: [Charts, 'Charts'],
  config: [ConfigPage, 'Config'],
  alerts: [Alerts, 'Alerts'],
  audit: [Audit, 'Audit'],
  settings: [Settings, 'Settings'],
};

export function pageOf(parts, query) {
  const [where, first, second, third] = parts;
  const found = (Page, title, props = {}) => ({ Page, title, props, key: parts.join('/') });
  if (!where) return found(Overview, 'Overview');
  if (where === 'queues' && first && second === 'jobs' && third) return found(JobPage, `${third} of ${first}`, { queue: first, id: third });
  if (where === 'queues' && first && !second) return found(Queue, first, { queue: first });
  if (where === 'flows' && first && second) return found(Flow, `${first}:${second}`, { flow: first, id: second });
  if (where === 'flows') return found(Flows, 'Flows', { flow: query.flow });
  if (PLAIN[where]) return found(...PLAIN[where]);
  return found(Missing, 'Not found');
}
