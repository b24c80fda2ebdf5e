-- Statistics ask which issues hosts had before the days that they look at, and of a young fleet that is none.

CREATE INDEX fingerprints_first_seen ON fingerprints (first_seen);
