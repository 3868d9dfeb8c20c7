import { html } from '../lib/html.js';
import { to } from '../lib/router.js';
import { Page } from '../ui/bits.js';
import { Empty } from '../ui/message.js';

export function Missing() {
  return html`<${Page} title="There is no such page">
    <${Empty} title="The address does not name a page of the dashboard."><a href=${to()}>To the overview</a></${Empty}>
  </${Page}>`;
}
