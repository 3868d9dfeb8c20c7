"""Every code that a finding can have, with its explanation. Codes are stable; new ones are added."""

from __future__ import annotations

CODES: dict[str, str] = {
    # The file and its YAML
    "P001": "The file cannot be read: it does not exist, is a folder, or may not be opened by this user.",
    "P002": "The file is larger than 4 MiB. A config of that size is nearly always the wrong file.",
    "P003": "The file is not UTF-8 text. Save it as UTF-8; a byte order mark at its start is fine.",
    "P004": "The file holds a control character, for instance a NUL byte. It may be a binary file.",
    "P005": "The text is not YAML. Nothing after this place was understood, so other mistakes may follow "
    "once it is mended.",
    "P006": "YAML allows no tab where a line is indented. Use spaces.",
    "P007": "A key stands twice in one map. YAML readers differ on which one wins, so it is an error here.",
    "P008": "Braces without quotes begin a map in YAML, so the template {data.x} never arrives as text. "
    'Put the whole value in quotes: key: "{data.x}".',
    "P009": "YAML cuts ${...} apart when it holds ': ' or ' #', or when it stands inside { } or [ ] without "
    "quotes. Put the whole value in quotes.",
    "P010": "The file holds more than one YAML document. Only one is read, so '---' may only stand at the top.",
    "P011": "The file is empty, or is not a map of keys at its top level. The smallest config has `name` and "
    "one queue.",
    "P012": "An alias (*name) names an anchor (&name) that does not come before it, or that contains it.",
    "P013": "The file is nested too deeply, or its aliases expand to far more than is written.",
    "P014": "A key is a list or a map. Keys are plain names here.",
    "P015": "`<<` merges another map into this one. Its value must be an alias of a map, or a list of them.",
    "P016": "The file uses a YAML tag (!name). Tags are not supported; only !!str is.",
    "P017": "A ${...} is not well formed. The forms are ${VAR}, ${VAR:-default}, ${VAR-default}, "
    "${VAR:?message}, ${VAR?message}, ${VAR:+other} and ${VAR+other}; a literal '${' is written '$${'.",
    "P018": "An environment variable that the file needs is not set. Set it, or give it a default: "
    "${VAR:-default}.",
    "P020": "A name stands in two files that belong to one config. Files are never merged name by name: rename one "
    "of the two, or remove it.",
    "P021": "A file includes itself, directly or by way of others.",
    "P022": "Too much is included: 1,000 files, 16 MiB together, 16 files that include each other in a row are the "
    "most, and a pattern may look through 10,000 files.",
    "P023": "No file matches a pattern of `include`. That is fine for a folder that is still empty, and a surprise "
    "after a typing error. A path without *, ? or [ must exist.",
    "P024": "An included file holds `queues`, `retries`, `pools`, `schedules`, `webhooks`, `flows`, `include` and x-* keys. All else is about the whole "
    "project and stands in the file that is run.",
    "P025": "The file has so many errors, or so many profiles and values, that the rest was not looked at.",
    # Keys and values
    "P026": "Everybody on this host can write the file, or put another one into its folder. It names the code that runs, as the user that "
    "runs it, and an edit is applied while it runs: whoever can write it can do all that this user can.",
    "P101": "The key is not known at this place. Only keys that begin with x- are ignored; all others are "
    "errors, so that a typing error never turns a setting off in silence.",
    "P102": "A key that is required is missing. The position is that of the map that should hold it.",
    "P103": "The value has the wrong type, for instance text where a whole number belongs.",
    "P104": "The value is not one of the words that are possible here.",
    "P105": "The value is not a duration. Durations need a unit: 500ms, 2s, 1m30s, 1h, 7d, 2w.",
    "P106": "The value is not a size. Sizes need a unit: 512KiB, 1MB, 1GiB.",
    "P107": "The number or duration is outside its range. Limits of zero would stop all work and are errors.",
    "P108": "Names of queues, jobs and retries, and the name of the project, are made of a-z, 0-9, '_', '.' "
    "and '-', begin with a letter or digit, and have 64 characters at most.",
    "P109": "A number begins with a zero: octal to some readers, decimal to others. Write it without the "
    "zero, or in quotes if it is text.",
    "P110": "yes, no, on and off are text in YAML 1.2. Booleans are true and false.",
    "P111": "A handler is written package.module:function. An exception class is the name of a built-in one, "
    "or package.module:Class.",
    "P112": "The broker's address cannot be used. It is `embedded`; redis://host:port/database of one server, or "
    "redis://host:port,host:port of several of which one is primary; redis+sentinel://sentinel:26379,sentinel:26379/name; "
    "redis+cluster://node:6379,node:6379; each of these with TLS as rediss...://; or unix:///path/of/socket.",
    "P113": "The file says a version that this program does not know. This one reads version 1.",
    "P114": "A template is text with fields in braces: {data.order.id}, {data.items.0.sku}, {name}, {queue}, {hash} (of the payload). "
    "A question mark ({data.x?}) allows the field to be missing. There are no expressions.",
    "P121": "The value is not a cron expression. It has five fields (minute, hour, day of the month, month, day of the "
    "week) of numbers, *, lists (1,15), ranges (MON-FRI) and steps (*/5), or is @hourly, @daily, @weekly, @monthly or "
    "@yearly. Seconds are not a field: `every: 10s` is the way to more than one run a minute.",
    "P122": "The time zone is not in the database of time zones. It is named as in Europe/Paris or America/New_York.",
    "P123": "The value is not a time. It is written as in 2030-06-01, 2030-06-01T08:00 or 2030-06-01T08:00:00+02:00; "
    "without an offset it is meant in the schedule's `timezone`.",
    "P130": "The address of an alert cannot be used. It begins with https://, and with http:// only to this host "
    "(localhost, 127.0.0.1, [::1]) or with `allow_private: true`; no user stands in it.",
    "P131": "A webhook's path begins with / and is made of a-z, A-Z, 0-9, '.', '_', '~' and '-' between slashes, 200 characters at most; "
    "it is compared as it comes, byte by byte. Names of headers are made of letters, digits and '-'; case does not matter.",
    # References
    "P201": "`retry` or `extends` names a policy that `retries` does not have.",
    "P202": "Policies extend each other in a circle, so none of them has a beginning.",
    "P203": "The file of a payload schema cannot be read. Its path counts from the project's root.",
    "P204": "The file of a payload schema is not JSON, or not a valid JSON Schema, or refers to something "
    "that it does not contain. Schemas are never fetched over the network.",
    "P205": "The profile that was asked for is not in the file.",
    "P206": "`{secret: NAME}` names a secret that `secrets` does not declare.",
    "P207": "A profile is laid over the file after its includes were read, and there is one at a time: it cannot change "
    "`version`, `include` or `profiles`.",
    "P208": "A secret that is used has no value here: its variable or file is missing or empty, or cannot be read. "
    "That is an error where the value is needed, for instance in `pipeline run`, and a note in `validate`.",
    "P209": "A policy test names a queue, a job or a retry policy that the file does not have.",
    "P221": "A schedule names a queue or a job that the file does not have.",
    "P230": "`dead_letter` or `wait_limit` names an alert that `alerts` does not have.",
    "P231": "`dead_letter.queue` names a queue that the file does not have.",
    "P240": "A step of a flow names a queue, or a job of it, that the file does not have.",
    "P241": "`needs` names a step that the flow does not have. Steps need steps of their own flow only.",
    "P242": "Steps need each other in a circle, so that none of them could ever begin.",
    "P243": "{steps.NAME.result} is what the step NAME returned. The step that uses it must need that one, directly or by way "
    "of others; a step with `on_failure: true` may use those of all others, with a question mark for what may not have run.",
    # Settings that cannot work together
    "P301": "The soft limit of a timeout must be shorter than the hard one, or the handler never sees it.",
    "P302": "`max` is shorter than `delay`, so the very first pause would already be cut.",
    "P303": "Deduplication by `throttle` needs a `ttl`, the window in which repeats are duplicates; `debounce` needs one, "
    "too: the job runs when nothing came for that long.",
    "P304": "Deduplication by `until_done` ends when the job does, so a `ttl` has no meaning there.",
    "P305": "A queue needs a `handler` or `jobs`. A queue that only stores is written `handler: null`.",
    "P306": "The backoff lacks what its type needs, or has what its type does not use. fixed, linear and "
    "exponential take `delay` (and `max`, `jitter`); list takes `delays` (and `jitter`).",
    "P307": "The file declares no queue.",
    "P308": "The job has no handler, and its queue has none to lend.",
    "P309": "Deduplication needs a `key`.",
    "P310": "A queue that shares a pool (`pool: NAME`) has no processes of its own: `processes` and `recycle` stand in "
    "`pools`, once for all of its queues.",
    "P311": "Every queue that names no pool has one of its own name, with its own processes. A shared pool cannot have "
    "the name of a queue that is not in it.",
    "P312": "A secret comes from one place: {file: PATH}, from the project's root, or {env: VARIABLE}.",
    "P313": "A policy test has either `retry: NAME` or `queue: NAME` (and `job`, when each job of the queue has its own "
    "handler), and expects at least one of state, attempt, delays and total.",
    "P314": "The embedded broker is one server without replicas, so it can confirm no job as `durability: {replicas: n}` "
    "asks. Use `fsync`, or a broker of your own that has replicas.",
    "P315": "A rate limit needs both: `max`, how many jobs may start, and `per`, within how long.",
    "P320": "Lanes need a `key`, a template: jobs for which it gives the same text are in one lane.",
    "P321": "Lanes are there to hold something for each key apart: `max_active`, a `rate_limit`, `order: strict` or `fair: true`.",
    "P322": "`order: strict` means that a job of a lane begins when the one before it has ended, so there is never more than "
    "one that runs. Leave `max_active` out, or `order`.",
    "P323": "`mode: keep_last` lets the next job of a key wait for the one that runs: that is a lane for each key. A job cannot be "
    "in two lanes.",
    "P331": "A schedule has either `cron` or `every`.",
    "P332": "The schedule never fires: its days do not exist (30 February), or no time of it lies between `start` and `end`.",
    "P333": "`timezone` says where the times of `cron`, and of `start` and `end` without an offset, are meant. With `every` "
    "and none of them it would have no effect.",
    "P334": "The job could not be enqueued as the schedule would do it: `data` does not fit its payload schema, lacks what "
    "the deduplication key is made of, or is larger than `max_payload`; or the job is debounced, and so cannot have `jitter`.",
    "P335": "Deduplication by `until_done` keeps a job out until the one before has ended, also while that is being cancelled, "
    "so it cannot be replaced. Use overlap: skip, or leave the deduplication to other jobs.",
    "P336": "A file has at most 1,000 schedules.",
    "P340": "The copies of dead jobs would come back to where they came from: a queue cannot be its own dead-letter queue, "
    "nor one of those that lead to it. A queue that gets this from `defaults` writes `dead_letter: null`.",
    "P341": "An alert has either a `url` or a `command`; `format` and `allow_private` are about the address.",
    "P342": "Plain http can be read and changed on its way, and would be sent outside. Use https. Only this host "
    "(localhost, 127.0.0.1, [::1]) is spoken to by http, and with `allow_private: true` what is at a private address.",
    "P343": "`wait_limit` needs both `max` and `alert`, and `dead_letter` at least one of `queue` and `alert`.",
    "P350": "A flow has 1 to 200 steps. Many jobs of one kind are one step with `for_each`.",
    "P351": "`for_each` takes one field alone that is a list: {data.items} or {steps.NAME.result}. Within such a step {item} is the "
    "item and {index} its place, from 0. {failed.step}, {failed.type} and {failed.message} belong to `on_failure` steps.",
    "P352": "A step with `on_failure: true` runs when the flow has failed and what ran has ended: always, or when one of the steps "
    "in its `needs` has failed. It is one job, it cannot be optional, no other step can need it, and what it is for must be able to fail.",
    "P353": "The id of a step's job is made of the flow's name, its id, and the step's name, and has 128 characters at most.",
    "P360": "The web process listens on addresses of this host: `127.0.0.1:9400`, `[::1]:9400`, `localhost:9400`, or `0.0.0.0:9400` "
    "for all of them. A unix socket is none of them.",
    "P361": "`path` is the prefix under which a proxy shows the dashboard, `/queues` for https://example.com/queues/. It begins with a "
    "slash and does not end in one. Without a prefix leave the key out.",
    "P362": "`hosts` are the names that stand in the address bar, without scheme and path. A request for another name is refused, "
    "because a page of a stranger could give its own name this host's address (DNS rebinding).",
    "P363": "A proxy that has signed the user in names them in a header. It is believed only when it comes from one of the networks "
    "in `from`, because everybody can send headers. Let the proxy remove that header from what comes in.",
    "P364": 'A password is kept as a hash, which `pipeline password` makes: {password: "scrypt:15:8:1:..."}.',
    "P319": "`redact` lists what the dashboard never shows of a queue's jobs: data.card, data.items.*.email, result.token, "
    "progress.x, where * is any key or place in a list; or error or logs, which are hidden as a whole.",
    "P365": "What listens beyond this host needs a sign-in and HTTPS: a certificate (`tls`), or a proxy that speaks HTTPS and whose "
    "networks are named in `proxy.from`; plain HTTP is then spoken to that proxy only. `auth: none` is for 127.0.0.1.",
    "P366": "Who may sign in, and how, contradicts itself: a user needs a password or a proxy with a `header`, and with `auth: none` "
    "nobody is asked who he is.",
    "P367": "Dashboard and webhooks have a port each, so that the one that faces the world leads to nothing else.",
    "P368": "A token is all that a program shows, so it must not be guessed: 16 characters or more, by chance.",
    "P369": "The files in `tls` are a certificate with its chain and its key, both PEM, the key without a password. Paths are from the "
    "project's root.",
    "P370": "The secret of a webhook cannot be used: it has fewer than 16 bytes (`bearer`: 32), so that it could be guessed, or it is not "
    "of the kind that its type of verification takes.",
    "P371": "What a type of verification needs, and what it takes: `secret` for all but none; `user` for basic; `header` for hmac, with "
    "`timestamp_header` and `id_header` when {timestamp} and {id} are signed. One secret, or two while it is being changed.",
    "P372": "Type none lets everybody who reaches the port put jobs in. If that is meant, because something else lets nobody else "
    "through, `allow_unsigned: true` says so.",
    "P373": "`signed` says what the signature of hmac is made of. The body must be in it, or anybody could send another one with it; a time "
    "or an id that are not in it prove nothing.",
    "P374": "Two webhooks come in at one path by one method, so one of them never would.",
    "P375": "A webhook names a queue or a job that the file does not have.",
    "P376": "A file has at most 1,000 webhooks.",
    "P377": "A header that holds a password, a token or a cookie would be kept with the job, for all who may look at it.",
    "P316": "`max_jobs` of an executor says when the process of a slot is replaced, which only `type: process` has. "
    "`recycle.max_jobs` replaces whole workers.",
    "P317": "A batch needs a `size`. One process runs `concurrency` batches at once, and 1,000 jobs at most.",
    "P318": "With `executor: process` each slot has a process, which runs one job at a time, so that it can be killed for "
    "that job. Batches run on the loop or in threads.",
    # Warnings: what works and surprises
    "P401": "`supervisor.stop_timeout` is shorter than the time a job may take, so a stop can cut a job that "
    "is within its limit. It is released and runs again later, at no cost to its attempts.",
    "P402": "Neither `count` nor `age` limits how many ended jobs are kept, so the broker's memory grows for "
    "ever.",
    "P403": "A thread cannot be stopped. When a job passes its hard timeout, its whole worker is replaced, and "
    "its neighbours in the same process may have to run again. Use concurrency 1 and more processes, or an "
    "async handler.",
    "P404": "A password stands in the file, readable by all who can read the file. Put it in the "
    "environment and write ${VAR} here.",
    "P405": "A job may still be retrying when its deduplication window ends. From then on a repeat of it is "
    "accepted as a new job.",
    "P406": "A worker process passes this limit of `recycle` as soon as it works, so it would be replaced all the time: "
    "it needs about 30 MiB for itself, and should live many times as long as a job may take.",
    "P407": "`max_active` limits a queue over all hosts, and is lower than what one process may take. Nothing breaks; "
    "the rest of `concurrency` is never used.",
    "P408": "A host that is silent for the whole lease loses its jobs to others, and what had begun may run twice. A "
    "busy machine, a pause of a virtual machine or a slow network can take some seconds.",
    "P409": "A pool in `pools` that no queue names sizes nothing, and a name close to one of `pools` is mostly a typing "
    "error.",
    "P410": "A rate limit that is never reached limits nothing: even if a job took a millisecond only, the processes of "
    "this host could not start that many. On many hosts it may make sense.",
    "P431": "The schedule's `end` has passed, so it does not fire any more.",
    "P430": "Whoever knows the address of an incoming webhook can write to it, and this one stands in the file, readable "
    "by all who can read the file. Put it under `secrets`, and write {secret: NAME} here.",
    "P433": "A dead-letter queue gets the jobs under their own names. One whose name the queue does not know is dead there "
    "at once. Give it the name, a `handler` for every name, or `handler: null` to keep the jobs for a person.",
    "P437": "The ingress listens beyond this host. Whoever reaches it can send a webhook of type none; and what proves a sender of type bearer, "
    "basic or gitlab is the secret itself, which everybody on the way reads without HTTPS. A signature does not give its secret away.",
    "P436": "The whole body becomes the payload, and the queue takes no payload of that size: it answers 413 to what is larger.",
    "P435": "The step's job goes to a queue that only stores (`handler: null`). The flow waits until somebody else has worked it "
    "off, or its `timeout` is over.",
    "P411": "With `executor: process` each slot has a process of its own, about 25 MiB and what the handlers import. "
    "`concurrency` says how many of them a worker has, and its default is meant for jobs that wait.",
    # Handlers, checked by importing them
    "P501": "The module of a handler does not exist below the project's root or among the installed packages.",
    "P502": "The module exists and has nothing of that name.",
    "P503": "The name is there and cannot be called.",
    "P504": "A handler is called with one argument, the job. `setup` is called with none.",
    "P505": "Importing the module takes longer than `supervisor.import_timeout`.",
    "P506": "Importing the module ends the process, for instance by sys.exit().",
    "P507": "Importing the module, or calling `setup`, raises an error.",
    "P509": "What stands in `around` does not fit the handler that it is around. Around an `async def` handler it is "
    "`async def f(job, call_next)`, around a plain one `def f(job, call_next)`; a @contextmanager that takes the job fits both.",
    "P508": "What `retry_on` and `discard_on` name must be classes of exceptions.",
}

BROKER_CODES: dict[str, str] = {
    "P601": "The broker cannot be reached at the address in the file, or does not let us in.",
    "P602": "The broker is too old, or its settings would lose jobs: an eviction policy other than noeviction.",
    "P603": "The broker's settings can lose more than `broker.durability` says. A warning tells what exactly.",
}
"""What `validate --connect` finds."""
ALL = {**CODES, **BROKER_CODES}
