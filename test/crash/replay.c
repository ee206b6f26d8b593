#include "crash/replay.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096
#define SECTOR 512

static void die(const char *what)
{
    fprintf(stderr, "replay: %s: %s\n", what, strerror(errno));
    exit(94);
}

/* --- the log --- */

static uint8_t *read_whole(const char *path, size_t *ret_len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        die(path);
    }
    size_t len = (size_t)st.st_size;
    uint8_t *bytes = malloc(len + 1);
    for (size_t at = 0; bytes != NULL && at < len;) {
        ssize_t got = read(fd, bytes + at, len - at);
        if (got <= 0) {
            die(path);
        }
        at += (size_t)got;
    }
    close(fd);
    *ret_len = len;
    return bytes;
}

static const uint8_t *read_name(const uint8_t *at, uint32_t len, char out[256])
{
    if (len > 255) {
        die("a name is too long");
    }
    memcpy(out, at, len);
    out[len] = 0;
    return at + len;
}

void replay_log_load(struct replay_log *log, const char *path)
{
    size_t len;
    size_t room = 0;
    *log = (struct replay_log){.bytes = read_whole(path, &len)};
    const uint8_t *at = log->bytes;
    while (at < log->bytes + len) {
        if (log->count == room) {
            room = room == 0 ? 1024 : room * 2;
            log->entries = realloc(log->entries, room * sizeof(*log->entries));
            if (log->entries == NULL) {
                die("memory");
            }
        }
        struct replay_entry *entry = &log->entries[log->count++];
        memcpy(&entry->head, at, sizeof(entry->head));
        entry->data = at + sizeof(entry->head);
        at = read_name(entry->data + entry->head.len, entry->head.name_len, entry->name);
        at = read_name(at, entry->head.to_len, entry->to);
        if (entry->head.kind == RECORD_UNKNOWN) {
            fprintf(stderr, "replay: the recorder does not follow: %s\n", entry->name);
            exit(94);
        }
    }
}

void replay_log_free(struct replay_log *log)
{
    free(log->entries);
    free(log->bytes);
    *log = (struct replay_log){0};
}

/* --- bytes and names --- */

static void set_len(struct replay_bytes *bytes, size_t len)
{
    if (len > bytes->room) {
        bytes->room = len + len / 2 + PAGE;
        bytes->data = realloc(bytes->data, bytes->room);
        if (bytes->data == NULL) {
            die("memory");
        }
    }
    if (len > bytes->len) {
        memset(bytes->data + bytes->len, 0, len - bytes->len); /* what no write filled */
    }
    bytes->len = len;
}

static void put_bytes(struct replay_bytes *bytes, int64_t offset, const uint8_t *data, size_t len)
{
    size_t at = (size_t)offset;
    if (at + len > bytes->len) {
        set_len(bytes, at + len);
    }
    if (len != 0) {
        memcpy(bytes->data + at, data, len);
    }
}

static void put_part(struct replay_bytes *bytes, const struct replay_part *part)
{
    if (part->truncates) {
        set_len(bytes, (size_t)part->offset);
    } else {
        put_bytes(bytes, part->offset, part->data, part->len);
    }
}

int replay_find(const struct replay_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i].name, name) == 0) {
            return names->names[i].file;
        }
    }
    return -1;
}

static void remove_name(struct replay_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i].name, name) == 0) {
            names->names[i] = names->names[--names->count];
            return;
        }
    }
}

static void add_name(struct replay_names *names, const char *name, int file)
{
    remove_name(names, name);
    if (names->count == REPLAY_MAX_FILES) {
        die("too many names");
    }
    snprintf(names->names[names->count].name, sizeof(names->names[0].name), "%s", name);
    names->names[names->count++].file = file;
}

/* Does one change of names; `file` is what it creates or renames. */
static void move(struct replay_names *names, const struct replay_entry *entry, uint32_t file)
{
    switch ((enum record_kind)entry->head.kind) {
    case RECORD_CREATE:
        add_name(names, entry->name, (int)file);
        return;
    case RECORD_MKDIR:
        add_name(names, entry->name, -1);
        return;
    case RECORD_RENAME:
        remove_name(names, entry->name);
        add_name(names, entry->to, (int)file);
        return;
    case RECORD_UNLINK:
    case RECORD_RMDIR:
        remove_name(names, entry->name);
        return;
    case RECORD_WRITE:
    case RECORD_DSYNC_WRITE:
    case RECORD_SYNC:
    case RECORD_TRUNCATE:
    case RECORD_SYNC_DIR:
    case RECORD_ACK:
    case RECORD_UNKNOWN:
        return;
    }
}

/* --- one entry after the other --- */

void replay_start(struct replay *replay, const struct replay_log *log)
{
    *replay = (struct replay){.log = log};
    add_name(&replay->durable, ".", -1);
    replay->live = replay->durable;
}

void replay_end(struct replay *replay)
{
    for (size_t i = 0; i < replay->file_count; i++) {
        free(replay->files[i].durable.data);
    }
    free(replay->parts);
    free(replay->moves);
    free(replay->move_files);
    *replay = (struct replay){0};
}

/* The newest file of this inode: numbers are used again. */
static uint32_t file_of(const struct replay *replay, uint64_t inode)
{
    for (size_t i = replay->file_count; i > 0; i--) {
        if (replay->files[i - 1].inode == inode) {
            return (uint32_t)(i - 1);
        }
    }
    errno = ENOENT;
    die("a write to a file that nobody made");
    return 0;
}

static void add_part(struct replay *replay, struct replay_part part)
{
    if (replay->part_count == replay->part_room) {
        replay->part_room = replay->part_room == 0 ? 256 : replay->part_room * 2;
        replay->parts = realloc(replay->parts, replay->part_room * sizeof(*replay->parts));
        if (replay->parts == NULL) {
            die("memory");
        }
    }
    replay->parts[replay->part_count++] = part;
}

/* The cache holds pages, and writes each when it likes: a write is as many parts as pages. */
static void add_write(struct replay *replay, uint32_t file, const struct replay_entry *entry)
{
    size_t done = 0;
    while (done < entry->head.len) {
        int64_t offset = entry->head.offset + (int64_t)done;
        size_t len = PAGE - (size_t)offset % PAGE;
        len = len < entry->head.len - done ? len : entry->head.len - done;
        add_part(replay, (struct replay_part){.entry = replay->at,
                                              .file = file,
                                              .offset = offset,
                                              .data = entry->data + done,
                                              .len = len});
        done += len;
    }
}

/* Makes durable what is pending of `file` and touches the bytes from `from` to `to`. */
static void flush(struct replay *replay, uint32_t file, int64_t from, int64_t to)
{
    size_t kept = 0;
    for (size_t i = 0; i < replay->part_count; i++) {
        const struct replay_part *part = &replay->parts[i];
        bool touched = part->offset < to && part->offset + (int64_t)part->len >= from;
        if (part->file == file && touched) {
            put_part(&replay->files[file].durable, part);
        } else {
            replay->parts[kept++] = *part;
        }
    }
    replay->part_count = kept;
}

static void dsync_write(struct replay *replay, uint32_t file, const struct replay_entry *entry)
{
    int64_t from = entry->head.offset / PAGE * PAGE;
    int64_t end = entry->head.offset + (int64_t)entry->head.len;
    flush(replay, file, from, (end + PAGE - 1) / PAGE * PAGE); /* whole pages go to the disk */
    put_bytes(&replay->files[file].durable, entry->head.offset, entry->data, entry->head.len);
}

static void add_move(struct replay *replay, uint32_t file)
{
    if (replay->move_count == replay->move_room) {
        replay->move_room = replay->move_room == 0 ? 64 : replay->move_room * 2;
        replay->moves = realloc(replay->moves, replay->move_room * sizeof(*replay->moves));
        replay->move_files =
            realloc(replay->move_files, replay->move_room * sizeof(*replay->move_files));
        if (replay->moves == NULL || replay->move_files == NULL) {
            die("memory");
        }
    }
    replay->moves[replay->move_count] = replay->at;
    replay->move_files[replay->move_count++] = file;
    move(&replay->live, &replay->log->entries[replay->at], file);
}

static bool lies_in(const char *name, const char *dir)
{
    const char *slash = strrchr(name, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - name);
    return strcmp(dir, ".") == 0 ? slash == NULL
                                 : strlen(dir) == len && strncmp(name, dir, len) == 0;
}

static void drop_move(struct replay *replay, size_t i)
{
    replay->move_count--;
    for (; i < replay->move_count; i++) {
        replay->moves[i] = replay->moves[i + 1];
        replay->move_files[i] = replay->move_files[i + 1];
    }
}

/* Of a file whose new name is on the disk, the making of the old one is over, too. */
static void drop_creation(struct replay *replay, const char *name, uint32_t file)
{
    for (size_t i = replay->move_count; i > 0; i--) {
        const struct replay_entry *entry = &replay->log->entries[replay->moves[i - 1]];
        if (entry->head.kind == RECORD_CREATE && replay->move_files[i - 1] == file &&
            strcmp(entry->name, name) == 0) {
            drop_move(replay, i - 1);
        }
    }
}

/* The directory `dir` is on the disk: the changes of names in it, and no others. */
static void sync_dir(struct replay *replay, const char *dir)
{
    size_t i = 0;
    while (i < replay->move_count) {
        const struct replay_entry *entry = &replay->log->entries[replay->moves[i]];
        uint32_t file = replay->move_files[i];
        bool renames = entry->head.kind == RECORD_RENAME;
        if (!lies_in(entry->name, dir) && !(renames && lies_in(entry->to, dir))) {
            i++;
            continue;
        }
        move(&replay->durable, entry, file);
        drop_move(replay, i);
        if (renames) {
            drop_creation(replay, entry->name, file);
            i = 0;
        }
    }
}

/* A write of one of the two meta pages ends a commit. (LMDB writes both at once, whole, when it
 * makes a file: that is none.) */
static bool ends_commit(const struct replay_entry *entry)
{
    return entry->head.offset + (int64_t)entry->head.len <= (int64_t)2 * PAGE &&
           entry->head.len < PAGE && entry->head.len > 64;
}

static void step_file(struct replay *replay, const struct replay_entry *entry)
{
    uint32_t file = file_of(replay, entry->head.file);
    struct replay_file *f = &replay->files[file];
    if (entry->head.kind == RECORD_SYNC) {
        flush(replay, file, INT64_MIN, INT64_MAX);
        f->commits_durable = f->commits;
    } else if (entry->head.kind == RECORD_TRUNCATE) {
        add_part(replay, (struct replay_part){.entry = replay->at,
                                              .file = file,
                                              .truncates = true,
                                              .offset = entry->head.offset});
    } else if (entry->head.kind == RECORD_DSYNC_WRITE) {
        dsync_write(replay, file, entry);
        f->commits += ends_commit(entry) ? 1 : 0;
        f->commits_durable = f->commits;
    } else {
        add_write(replay, file, entry);
        f->commits += ends_commit(entry) ? 1 : 0;
    }
}

static uint32_t named_file(const struct replay *replay, const char *name)
{
    int file = replay_find(&replay->live, name);
    if (file < 0) {
        errno = ENOENT;
        die("a rename of a file that nobody made");
    }
    return (uint32_t)file;
}

void replay_step(struct replay *replay)
{
    const struct replay_entry *entry = &replay->log->entries[replay->at];
    switch ((enum record_kind)entry->head.kind) {
    case RECORD_WRITE:
    case RECORD_DSYNC_WRITE:
    case RECORD_SYNC:
    case RECORD_TRUNCATE:
        step_file(replay, entry);
        break;
    case RECORD_CREATE:
        if (replay->file_count == REPLAY_MAX_FILES) {
            die("too many files");
        }
        replay->files[replay->file_count++] = (struct replay_file){.inode = entry->head.file};
        add_move(replay, (uint32_t)(replay->file_count - 1));
        break;
    case RECORD_RENAME:
        add_move(replay, named_file(replay, entry->name));
        break;
    case RECORD_UNLINK:
    case RECORD_MKDIR:
    case RECORD_RMDIR:
        add_move(replay, 0);
        break;
    case RECORD_SYNC_DIR:
        sync_dir(replay, entry->name);
        break;
    case RECORD_ACK:
        replay->acked = entry->head.number;
        break;
    case RECORD_UNKNOWN:
        break;
    }
    replay->at++;
}

/* --- images --- */

static const struct replay_entry *next_dsync(const struct replay *replay)
{
    if (replay->at >= replay->log->count) {
        return NULL;
    }
    const struct replay_entry *entry = &replay->log->entries[replay->at];
    return entry->head.kind == RECORD_DSYNC_WRITE ? entry : NULL;
}

size_t replay_choices(const struct replay *replay)
{
    const struct replay_entry *next = next_dsync(replay);
    return REPLAY_PREFIX + (next == NULL ? 0 : (next->head.len - 1) / 8);
}

bool replay_choice_counts(const struct replay *replay, size_t choice)
{
    size_t pending = replay->part_count + replay->move_count;
    if (choice == REPLAY_NOTHING || choice >= REPLAY_PREFIX) {
        return true;
    }
    if (choice == REPLAY_EVERYTHING) {
        return pending > 0;
    }
    return choice == REPLAY_TORN ? replay->part_count > 0 : pending > 1;
}

/* Sectors of a page that was being written: those before a place, those behind it, or any. */
static void put_torn(struct replay_bytes *bytes, const struct replay_part *part, struct dice *dice)
{
    uint64_t manner = dice_below(dice, 3);
    uint64_t sectors = dice_next(dice);
    size_t at = (size_t)dice_below(dice, PAGE / SECTOR);
    if (part->truncates) {
        put_part(bytes, part);
        return;
    }
    for (size_t done = 0; done < part->len;) {
        size_t sector = ((size_t)part->offset + done) % PAGE / SECTOR;
        size_t len = SECTOR - ((size_t)part->offset + done) % SECTOR;
        len = len < part->len - done ? len : part->len - done;
        bool there = manner == 0   ? sector < at
                     : manner == 1 ? sector >= at
                                   : (sectors >> sector & 1) != 0;
        if (there) {
            put_bytes(bytes, part->offset + (int64_t)done, part->data + done, len);
        }
        done += len;
    }
}

static bool takes(const struct replay *replay, size_t choice, size_t i, struct dice *dice)
{
    switch (choice) {
    case REPLAY_NOTHING:
        return false;
    case REPLAY_SUBSET:
    case REPLAY_SUBSET_2:
    case REPLAY_SUBSET_3:
    case REPLAY_TORN:
        return dice_below(dice, 2) == 0;
    case REPLAY_LAST:
        return replay->parts[i].entry == replay->parts[replay->part_count - 1].entry;
    default: /* everything, also below a prefix */
        return true;
    }
}

/* Names change in order, as a journal keeps them: some of the first. */
static size_t moves_taken(const struct replay *replay, size_t choice, struct dice *dice)
{
    if (choice == REPLAY_NOTHING) {
        return 0;
    }
    return choice == REPLAY_EVERYTHING || choice >= REPLAY_PREFIX
               ? replay->move_count
               : (size_t)dice_below(dice, replay->move_count + 1);
}

void replay_build(const struct replay *replay, size_t choice, struct dice dice,
                  struct replay_image *image)
{
    image->names = replay->durable;
    size_t moves = moves_taken(replay, choice, &dice);
    for (size_t i = 0; i < moves; i++) {
        move(&image->names, &replay->log->entries[replay->moves[i]], replay->move_files[i]);
    }
    for (size_t i = 0; i < replay->file_count; i++) {
        image->contents[i].len = 0;
    }
    for (size_t i = 0; i < image->names.count; i++) {
        int file = image->names.names[i].file;
        if (file >= 0) {
            const struct replay_bytes *durable = &replay->files[file].durable;
            put_bytes(&image->contents[file], 0, durable->data, durable->len);
        }
    }
    size_t torn =
        choice == REPLAY_TORN ? (size_t)dice_below(&dice, replay->part_count) : replay->part_count;
    for (size_t i = 0; i < replay->part_count; i++) {
        const struct replay_part *part = &replay->parts[i];
        if (i == torn) {
            put_torn(&image->contents[part->file], part, &dice);
        } else if (takes(replay, choice, i, &dice)) {
            put_part(&image->contents[part->file], part);
        }
    }
    if (choice >= REPLAY_PREFIX) {
        const struct replay_entry *next = next_dsync(replay);
        assert(next != NULL); /* prefixes are only chosen where there is one */
        put_bytes(&image->contents[file_of(replay, next->head.file)], next->head.offset, next->data,
                  (choice - REPLAY_PREFIX + 1) * 8);
    }
}

void replay_image_free(struct replay_image *image)
{
    for (size_t i = 0; i < REPLAY_MAX_FILES; i++) {
        free(image->contents[i].data);
    }
    *image = (struct replay_image){0};
}

/* --- on the disk of the test --- */

static bool means_nothing(const char *name)
{
    return strcmp(name, "ballast") == 0 || strcmp(name, "wake") == 0 ||
           strcmp(name, "data-lock") == 0;
}

/* Empties `dir`, one level deep and its directories. */
static void empty(const char *dir)
{
    DIR *stream = opendir(dir);
    const struct dirent *entry;
    if (stream == NULL) {
        return;
    }
    while ((entry = readdir(stream)) != NULL) {
        char path[1024];
        if (entry->d_name[0] == '.' || means_nothing(entry->d_name)) {
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        if (unlink(path) != 0) {
            empty(path);
            char lock[1100];
            snprintf(lock, sizeof(lock), "%s/data-lock", path);
            (void)unlink(lock);
            (void)rmdir(path);
        }
    }
    closedir(stream);
}

static void put_file(const struct replay_bytes *bytes, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        die(path);
    }
    for (size_t at = 0; at < bytes->len;) {
        ssize_t put = write(fd, bytes->data + at, bytes->len - at);
        if (put <= 0) {
            die(path);
        }
        at += (size_t)put;
    }
    if (close(fd) != 0) {
        die(path);
    }
}

static bool is_there(const struct replay_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

void replay_put(const struct replay_image *image, const char *prefix, const char *dir)
{
    size_t len = strlen(prefix);
    empty(dir);
    if (!is_there(&image->names, prefix)) {
        char path[1024];
        static const char *const names[] = {"ballast", "wake", "data-lock"};
        for (size_t i = 0; i < 3; i++) {
            snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
            (void)unlink(path);
        }
        (void)rmdir(dir);
        return;
    }
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        die(dir);
    }
    for (int files = 0; files < 2; files++) { /* directories first */
        for (size_t i = 0; i < image->names.count; i++) {
            const struct replay_name *name = &image->names.names[i];
            char path[1024];
            if (strncmp(name->name, prefix, len) != 0 || name->name[len] != '/') {
                continue;
            }
            snprintf(path, sizeof(path), "%s/%s", dir, name->name + len + 1);
            if (files == 0 && name->file < 0 && mkdir(path, 0700) != 0 && errno != EEXIST) {
                die(path);
            }
            if (files == 1 && name->file >= 0) {
                put_file(&image->contents[name->file], path);
            }
        }
    }
}
