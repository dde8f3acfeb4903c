/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of file systems that are not on a disk of this machine. */
#include "resolve/fstype.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

static const struct fs_type {
        const char *type;
        enum fs_family family;
        const char *server;
        bool quiet; /* honours AT_STATX_DONT_SYNC: fs/TYPE/inode.c, its getattr */
} types[] = {
        { "nfs", FS_NFS, "the NFS server", true },
        { "nfs4", FS_NFS, "the NFS server", true },
        { "cifs", FS_NETWORK, "the SMB server", true },
        { "smb3", FS_NETWORK, "the SMB server", true },
        { "smbfs", FS_NETWORK, "the SMB server", false },
        { "ceph", FS_NETWORK, "the Ceph cluster", true },
        { "9p", FS_NETWORK, "the 9P server", false },
        { "afs", FS_NETWORK, "the AFS server", true },
        { "coda", FS_NETWORK, "the Coda server", false },
        { "ncpfs", FS_NETWORK, "the NetWare server", false },
        { "lustre", FS_NETWORK, "the Lustre servers", false },
        { "beegfs", FS_NETWORK, "the BeeGFS servers", false },
        { "gpfs", FS_NETWORK, "the GPFS servers", false },
        { "orangefs", FS_NETWORK, "the OrangeFS servers", false },
        { "pvfs2", FS_NETWORK, "the OrangeFS servers", false },
        { "fuse", FS_FUSE, NULL, true },
        { "fuseblk", FS_FUSE, NULL, true },
        { "virtiofs", FS_FUSE, NULL, true },
        { "autofs", FS_AUTOFS, NULL, true },
};

static const struct fs_type *fs_type_of(const char *type)
{
        for (size_t i = 0; type && i < ARRAY_SIZE(types); i++) {
                size_t len = strlen(types[i].type);

                /* The kernel writes a subtype behind: "fuse.sshfs". */
                if (strncmp(type, types[i].type, len) == 0 && (!type[len] || type[len] == '.'))
                        return &types[i];
        }
        return NULL;
}

enum fs_family fs_family(const char *type)
{
        const struct fs_type *t = fs_type_of(type);

        return t ? t->family : FS_LOCAL;
}

const char *fs_server(const char *type)
{
        const struct fs_type *t = fs_type_of(type);

        return t && t->server ? t->server : "the server";
}

bool fs_stat_is_quiet(const char *type)
{
        const struct fs_type *t = fs_type_of(type);

        return !t || t->quiet;
}
