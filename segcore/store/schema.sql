-- The store, version 1. Ids of items, layers and events are uuids, so that parts of a project can
-- be sent and merged; the numbers beside them are this file's own and keep the big tables small.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE class (
    id           INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 65535),
    uuid         TEXT NOT NULL,
    position     INTEGER NOT NULL,
    name         TEXT NOT NULL,
    value        INTEGER,
    colour       TEXT,
    thing        INTEGER NOT NULL DEFAULT 0,
    ignore       INTEGER NOT NULL DEFAULT 0,
    code         TEXT NOT NULL DEFAULT '',
    file_colours TEXT NOT NULL DEFAULT '[]',
    retired      INTEGER NOT NULL DEFAULT 0,
    merged_into  INTEGER REFERENCES class (id)   -- a merge is a mapping until `compact`
);

CREATE TABLE item (
    number        INTEGER PRIMARY KEY,
    uuid          TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL UNIQUE,
    state         TEXT NOT NULL DEFAULT 'new'
                  CHECK (state IN ('new', 'predicted', 'corrected', 'accepted', 'rejected')),
    grp           TEXT NOT NULL DEFAULT '',
    split         TEXT CHECK (split IN ('train', 'held_out')),
    z             INTEGER NOT NULL,
    y             INTEGER NOT NULL,
    x             INTEGER NOT NULL,
    spacing       TEXT,                          -- JSON [z, y, x] in mm
    affine        TEXT,                          -- JSON 4 x 4, index (x, y, z, 1) to RAS+ mm
    note          TEXT NOT NULL DEFAULT '',
    next_instance INTEGER NOT NULL DEFAULT 1     -- ids of instances only grow
);

CREATE TABLE source_file (
    item     TEXT NOT NULL REFERENCES item (uuid),
    position INTEGER NOT NULL,
    path     TEXT NOT NULL,                      -- relative to the project, slashes, NFC
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    digest   TEXT NOT NULL DEFAULT '',           -- SHA-256, '' until somebody had the time
    PRIMARY KEY (item, position)
) WITHOUT ROWID;

CREATE TABLE layer (
    number       INTEGER PRIMARY KEY,
    uuid         TEXT NOT NULL UNIQUE,
    item         TEXT NOT NULL REFERENCES item (uuid),
    role         TEXT NOT NULL CHECK (role IN ('label', 'prediction', 'truth')),
    name         TEXT NOT NULL DEFAULT '',       -- of the model, or of the reader
    tile_z       INTEGER NOT NULL,
    tile_y       INTEGER NOT NULL,
    tile_x       INTEGER NOT NULL,
    fill         INTEGER NOT NULL DEFAULT 0,
    model_digest TEXT NOT NULL DEFAULT '',
    partial      INTEGER NOT NULL DEFAULT 0,
    instances    TEXT NOT NULL DEFAULT '[]',     -- JSON rows of a prediction's instances
    made         REAL NOT NULL
);
CREATE INDEX layer_of_item ON layer (item);

-- Which layer an item shows: slot is 'label', 'truth', 'prediction:MODEL', or 'adopted' (the
-- prediction that the label was made of).
CREATE TABLE pointer (
    item  TEXT NOT NULL REFERENCES item (uuid),
    slot  TEXT NOT NULL,
    layer TEXT NOT NULL REFERENCES layer (uuid),
    PRIMARY KEY (item, slot)
) WITHOUT ROWID;

-- A stored tile: zstd of the little-endian array, never changed; crc is crc32 of `data`.
CREATE TABLE blob (
    id   INTEGER PRIMARY KEY,
    data BLOB NOT NULL,
    crc  INTEGER NOT NULL
);

-- handle >= 0: blob.id; handle < 0: a uniform tile of value -1 - handle.
CREATE TABLE tile (
    layer  INTEGER NOT NULL REFERENCES layer (number),
    plane  INTEGER NOT NULL,
    z      INTEGER NOT NULL,
    y      INTEGER NOT NULL,
    x      INTEGER NOT NULL,
    handle INTEGER NOT NULL,
    PRIMARY KEY (layer, plane, z, y, x)
) WITHOUT ROWID;

-- Who set a pixel: the rows that plane `origin` points at.
CREATE TABLE source (
    id           INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 65535),
    kind         TEXT NOT NULL
                 CHECK (kind IN ('imported', 'model', 'person', 'refined', 'interpolated')),
    model_digest TEXT NOT NULL DEFAULT '',
    person       TEXT NOT NULL DEFAULT '',
    UNIQUE (kind, model_digest, person)
);

CREATE TABLE instance (
    item TEXT NOT NULL REFERENCES item (uuid),
    id   INTEGER NOT NULL,
    row  TEXT NOT NULL,                          -- JSON: class, score, source, attributes, bounds
    PRIMARY KEY (item, id)
) WITHOUT ROWID;

-- Append-only. What is undone is derived from the order of do, undo and redo.
CREATE TABLE event (
    seq    INTEGER PRIMARY KEY,
    uuid   TEXT NOT NULL UNIQUE,
    kind   TEXT NOT NULL,
    item   TEXT,                                 -- NULL: the project's own
    patch  TEXT,                                 -- JSON of a step; NULL for undo and redo
    person TEXT NOT NULL,
    time   REAL NOT NULL,
    target TEXT,                                 -- the step that is undone or redone
    grp    TEXT
);
CREATE INDEX event_of_item ON event (item, seq);
CREATE INDEX event_of_target ON event (target) WHERE target IS NOT NULL;
CREATE INDEX event_of_group ON event (grp) WHERE grp IS NOT NULL;

CREATE TABLE event_tile (
    event  INTEGER NOT NULL REFERENCES event (seq),
    layer  INTEGER NOT NULL REFERENCES layer (number),
    plane  INTEGER NOT NULL,
    z      INTEGER NOT NULL,
    y      INTEGER NOT NULL,
    x      INTEGER NOT NULL,
    before INTEGER NOT NULL,
    after  INTEGER NOT NULL,
    PRIMARY KEY (event, layer, plane, z, y, x)
) WITHOUT ROWID;

-- The confusion matrix of an item, derived: right only for these classes and if `seq` is the item's
-- last event.
CREATE TABLE confusion (
    item     TEXT PRIMARY KEY REFERENCES item (uuid),
    classes  TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    matrix   BLOB NOT NULL,                      -- int64, little-endian, (n, n + 1)
    mean_iou REAL
) WITHOUT ROWID;

-- At most one row: the process that writes.
CREATE TABLE writer (
    only      INTEGER PRIMARY KEY CHECK (only = 1),
    pid       INTEGER NOT NULL,
    host      TEXT NOT NULL,
    started   REAL NOT NULL,
    epoch     TEXT NOT NULL,
    person    TEXT NOT NULL,
    since     REAL NOT NULL,
    heartbeat REAL NOT NULL
);

-- For what comes later; there from the first version, so that no project has to be converted.
CREATE TABLE reader (
    uuid TEXT PRIMARY KEY,
    name TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE tag (
    item TEXT NOT NULL REFERENCES item (uuid),
    tag  TEXT NOT NULL,
    PRIMARY KEY (item, tag)
) WITHOUT ROWID;

CREATE TABLE attribute (
    item  TEXT NOT NULL REFERENCES item (uuid),
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (item, name)
) WITHOUT ROWID;

CREATE TABLE note (
    uuid   TEXT PRIMARY KEY,
    item   TEXT NOT NULL REFERENCES item (uuid),
    z      INTEGER NOT NULL,
    y      REAL NOT NULL,
    x      REAL NOT NULL,
    text   TEXT NOT NULL,
    person TEXT NOT NULL,
    time   REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE measurement (
    uuid   TEXT PRIMARY KEY,
    item   TEXT NOT NULL REFERENCES item (uuid),
    kind   TEXT NOT NULL,
    points TEXT NOT NULL,
    value  REAL NOT NULL,
    unit   TEXT NOT NULL,
    person TEXT NOT NULL,
    time   REAL NOT NULL
) WITHOUT ROWID;
