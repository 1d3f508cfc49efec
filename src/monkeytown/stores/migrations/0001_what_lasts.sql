-- What lasts: who has played, what was played, and what happened in it.
--
-- Times are seconds since 1970, in UTC. `room`, `epoch` and `sequence` name a record for ever: each is in one of the tables events,
-- chat, scores and results, once. All else that comes from records (players, games, participants, boards, standings) can be told in any
-- order and any number of times, so there are no foreign keys: a room's records may come before those that they refer to.
-- Ids are compared by their bytes, on every database and whatever its language.

CREATE TABLE players (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    named DOUBLE PRECISION NOT NULL,            -- since when it is that; older records do not change it
    guest BOOLEAN NOT NULL,
    data TEXT,                                  -- the player's document, JSON
    data_time DOUBLE PRECISION NOT NULL,        -- when, and by which record of the room: older ones do not change it
    data_epoch BIGINT NOT NULL,
    data_sequence BIGINT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    seen DOUBLE PRECISION,                      -- NULL: never played
    banned_until DOUBLE PRECISION,
    ban_reason TEXT NOT NULL DEFAULT '',
    tokens_after DOUBLE PRECISION,              -- tokens from before are not taken
    erased DOUBLE PRECISION                     -- a tombstone: nothing that still comes in brings the person back
);

CREATE TABLE games (
    room TEXT COLLATE "C" PRIMARY KEY,
    game TEXT COLLATE "C" NOT NULL,
    mode TEXT,                                  -- NULL: the record of its beginning has not come yet
    private BOOLEAN NOT NULL,
    opened DOUBLE PRECISION NOT NULL,
    closed DOUBLE PRECISION,
    closed_epoch BIGINT NOT NULL,
    reason TEXT NOT NULL,
    failed BOOLEAN NOT NULL
);
CREATE INDEX games_by_time ON games (opened, room);
CREATE INDEX games_by_game ON games (game, opened, room);
CREATE INDEX games_open ON games (opened, room) WHERE closed IS NULL;

CREATE TABLE participants (
    room TEXT COLLATE "C",
    player TEXT COLLATE "C",
    joined DOUBLE PRECISION NOT NULL,           -- first
    left_at DOUBLE PRECISION,                   -- last; NULL: still there
    epoch BIGINT NOT NULL,                      -- the newest record that says so
    sequence BIGINT NOT NULL,
    PRIMARY KEY (room, player)
);
CREATE INDEX participants_by_player ON participants (player, room);

CREATE TABLE events (
    room TEXT COLLATE "C",
    epoch BIGINT,
    sequence BIGINT,
    time DOUBLE PRECISION NOT NULL,
    kind TEXT NOT NULL,
    player TEXT COLLATE "C" NOT NULL,
    event TEXT NOT NULL,
    data TEXT,
    PRIMARY KEY (room, epoch, sequence)
);

CREATE TABLE chat (
    room TEXT COLLATE "C",
    epoch BIGINT,
    sequence BIGINT,
    time DOUBLE PRECISION NOT NULL,
    player TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (room, epoch, sequence)
);
CREATE INDEX chat_by_player ON chat (player);

CREATE TABLE scores (
    room TEXT COLLATE "C",
    epoch BIGINT,
    sequence BIGINT,
    time DOUBLE PRECISION NOT NULL,
    game TEXT COLLATE "C" NOT NULL,
    player TEXT COLLATE "C" NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    ranking TEXT NOT NULL,                      -- best, lowest, total
    PRIMARY KEY (room, epoch, sequence)
);
CREATE INDEX scores_by_player ON scores (player);

CREATE TABLE results (
    room TEXT COLLATE "C",
    epoch BIGINT,
    sequence BIGINT,
    time DOUBLE PRECISION NOT NULL,
    result TEXT NOT NULL,
    PRIMARY KEY (room, epoch, sequence)
);

CREATE TABLE boards (
    game TEXT COLLATE "C" PRIMARY KEY,
    ranking TEXT NOT NULL,                      -- that of the newest score; standings under another one are another board
    newest DOUBLE PRECISION NOT NULL
);

CREATE TABLE standings (
    game TEXT COLLATE "C",
    period TEXT COLLATE "C",                    -- '' for all time, or a week of ISO 8601
    ranking TEXT COLLATE "C",
    player TEXT COLLATE "C",
    place DOUBLE PRECISION NOT NULL,            -- lowest first: the score, or its negative where the highest is first
    PRIMARY KEY (game, period, ranking, player)
);
CREATE INDEX standings_in_order ON standings (game, period, ranking, place, player);

CREATE TABLE replays (
    id TEXT COLLATE "C" PRIMARY KEY,
    room TEXT COLLATE "C" NOT NULL,
    game TEXT COLLATE "C" NOT NULL,
    started DOUBLE PRECISION NOT NULL,
    ended DOUBLE PRECISION,
    ticks BIGINT NOT NULL,
    size BIGINT NOT NULL,
    file TEXT NOT NULL,
    complete BOOLEAN NOT NULL
);
CREATE INDEX replays_by_time ON replays (started, id);
CREATE INDEX replays_by_room ON replays (room);
