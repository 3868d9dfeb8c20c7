// Makes the files that the web process serves: node build.mjs [folder], by default pipeline/web/static.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, '..', 'pipeline', 'web', 'static');
const packages = ['preact', 'htm', 'uplot'];

const built = await build({
  entryPoints: [join(here, 'src', 'app.js'), join(here, 'src', 'app.css')],
  absWorkingDir: here,
  outdir: 'out',
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  target: ['es2022'],
  charset: 'utf8',
  legalComments: 'none',        // licenses.txt has them, whole
});

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

// The name tells the content, so a browser may keep a file for ever.
const names = {};
for (const { path, contents } of built.outputFiles) {
  const kind = path.split('.').pop();
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 12);
  names[kind] = `app-${hash}.${kind}`;
  writeFileSync(join(target, names[kind]), contents);
}

const page = readFileSync(join(here, 'index.html'), 'utf8');
writeFileSync(join(target, 'index.html'), page.replace('{css}', names.css).replace('{js}', names.js));
writeFileSync(join(target, 'icon.svg'), readFileSync(join(here, 'icon.svg')));
writeFileSync(join(target, 'licenses.txt'), packages.map(licence).join('\n'));

function licence(name) {
  const { version } = JSON.parse(readFileSync(join(here, 'node_modules', name, 'package.json')));
  const text = readFileSync(join(here, 'node_modules', name, 'LICENSE'), 'utf8');
  return `${name} ${version}\n${'-'.repeat(72)}\n${text.trim()}\n`;
}
