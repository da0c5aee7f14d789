# Adds rows to a catalog that the program has made, and bytes to each upload that is not finished:
# fill.py catalog.db FINISHED UNFINISHED
import os, sqlite3, sys
path, finished, unfinished = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
db = sqlite3.connect(path)
row = 'INSERT INTO uploads (id, owner, name, folder, kind, size, last_modified, media_type, chunk_size, state, created, expires, received, finished, hash, stored_as, path_key, epoch) VALUES (?,?,?,?,0,5,1,NULL,65536,?,?,?,?,?,?,?,?,0)'
far = 9223372036854775807
def rows(count, state):
    for n in range(count):
        name = '%s-%d.bin' % ('fu'[state == 0], n)
        stored = 'd%d/%s' % (n // 1000, name)
        when = 1700000000000 + n
        yield (b'%d%015d' % (state, n), 'shared', name, 'd%d' % (n // 1000), state, when, far if state else when * 2, 5 if state else 0, when if state else 0, b'h' * 32 if state else None, stored, stored)
db.executemany(row, rows(finished, 2))
db.executemany(row, rows(unfinished, 0))
db.commit()
incoming = os.path.join(os.path.dirname(path), 'incoming')
for n in range(unfinished):
    name = (b'%d%015d' % (0, n)).hex()
    folder = os.path.join(incoming, name[:2])
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as file:
        file.write(b'abc')
