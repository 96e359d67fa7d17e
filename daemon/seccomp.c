/* SPDX-License-Identifier: MIT */
#include "seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__) && !defined(__ILP32__)
# define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__LP64__) && !defined(__AARCH64EB__)
# define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE

# define SUPERVISOR (1u << SANDBOX_SUPERVISOR)
# define ANSWERER (1u << SANDBOX_ANSWERER)
# define RESOLVER (1u << SANDBOX_RESOLVER)
# define ALL (SUPERVISOR | ANSWERER | RESOLVER)

enum how {
	ALLOW,
	KILL,
	CODE,	      /* without PROT_EXEC, but for the supervisor, who starts programs */
	OWN,	      /* a signal to this process */
	FAMILY,	      /* a socket, of a family that the role has a use for */
	CONNECT,      /* where there may be such a socket */
	NO_NAMESPACE, /* a process, in the namespaces that we are in */
};

/*
 * Who may call what. The supervisor's program binds its children too, beside their own:
 * what is theirs is also its. clone3 stands nowhere: what it would do cannot be seen
 * here, and without it libc calls clone.
 */
static const struct {
	unsigned number;
	unsigned who;
	enum how how;
} calls[] = {
# ifdef __x86_64__
	/* The old forms of some, which newer architectures never had. */
	{ __NR_stat, ALL, ALLOW },
	{ __NR_lstat, ALL, ALLOW },
	{ __NR_epoll_wait, ALL, ALLOW },
	{ __NR_poll, ALL, ALLOW },
	{ __NR_select, ALL, ALLOW },
	{ __NR_dup2, ALL, ALLOW },
	{ __NR_open, ALL, ALLOW },
	{ __NR_access, ALL, ALLOW },
	{ __NR_readlink, ALL, ALLOW },
	{ __NR_time, ALL, ALLOW },
	{ __NR_fork, SUPERVISOR, ALLOW },
	{ __NR_vfork, SUPERVISOR, ALLOW },
	{ __NR_pipe, SUPERVISOR, ALLOW },
	{ __NR_arch_prctl, SUPERVISOR, ALLOW },
	{ __NR_mkdir, SUPERVISOR, ALLOW },
	{ __NR_unlink, SUPERVISOR, ALLOW },
	{ __NR_rename, SUPERVISOR, ALLOW },
	{ __NR_chmod, SUPERVISOR, ALLOW },
	{ __NR_chown, SUPERVISOR, ALLOW },
	{ __NR_lchown, SUPERVISOR, ALLOW },
	{ __NR_alarm, SUPERVISOR, ALLOW },
	{ __NR_pause, SUPERVISOR, ALLOW },
	{ __NR_iopl, ALL, KILL },
	{ __NR_ioperm, ALL, KILL },
	{ __NR_modify_ldt, ALL, KILL },
# endif
	/* What an answer costs, first: each row before it is looked at first. */
	{ __NR_epoll_pwait, ALL, ALLOW },
	{ __NR_recvfrom, ALL, ALLOW },
	{ __NR_sendto, ALL, ALLOW },
	{ __NR_read, ALL, ALLOW },
	{ __NR_write, ALL, ALLOW },
	{ __NR_recvmsg, ALL, ALLOW },
	{ __NR_sendmsg, ALL, ALLOW },
	{ __NR_accept4, ALL, ALLOW },
	{ __NR_epoll_ctl, ALL, ALLOW },
	{ __NR_close, ALL, ALLOW },
	{ __NR_clock_gettime, ALL, ALLOW },
	{ __NR_futex, ALL, ALLOW },
	/* Descriptors. */
	{ __NR_readv, ALL, ALLOW },
	{ __NR_writev, ALL, ALLOW },
	{ __NR_pread64, ALL, ALLOW },
	{ __NR_pwrite64, ALL, ALLOW },
	{ __NR_preadv, ALL, ALLOW },
	{ __NR_pwritev, ALL, ALLOW },
	{ __NR_epoll_create1, ALL, ALLOW },
	{ __NR_epoll_pwait2, ALL, ALLOW },
	{ __NR_ppoll, ALL, ALLOW },
	{ __NR_pselect6, ALL, ALLOW },
	{ __NR_fcntl, ALL, ALLOW },
	{ __NR_ioctl, ALL, ALLOW },
	{ __NR_dup, ALL, ALLOW },
	{ __NR_dup3, ALL, ALLOW },
	{ __NR_lseek, ALL, ALLOW },
	{ __NR_eventfd2, ALL, ALLOW },
	{ __NR_pipe2, ALL, ALLOW },
	{ __NR_accept, ALL, ALLOW },
	{ __NR_getsockname, ALL, ALLOW },
	{ __NR_getpeername, ALL, ALLOW },
	{ __NR_getsockopt, ALL, ALLOW },
	{ __NR_setsockopt, ALL, ALLOW },
	{ __NR_shutdown, ALL, ALLOW },
	/* Files: which, is Landlock's to say. */
	{ __NR_openat, ALL, ALLOW },
	{ __NR_newfstatat, ALL, ALLOW },
	{ __NR_fstat, ALL, ALLOW },
	{ __NR_statx, ALL, ALLOW },
	{ __NR_statfs, ALL, ALLOW },
	{ __NR_fstatfs, ALL, ALLOW },
	{ __NR_faccessat, ALL, ALLOW },
	{ __NR_faccessat2, ALL, ALLOW },
	{ __NR_readlinkat, ALL, ALLOW },
	{ __NR_getcwd, ALL, ALLOW },
	{ __NR_getdents64, ALL, ALLOW },
	{ __NR_ftruncate, ALL, ALLOW },
	{ __NR_fsync, ALL, ALLOW },
	{ __NR_fdatasync, ALL, ALLOW },
	{ __NR_msync, ALL, ALLOW },
	{ __NR_flock, ALL, ALLOW },
	/* Memory. */
	{ __NR_munmap, ALL, ALLOW },
	{ __NR_mremap, ALL, ALLOW },
	{ __NR_madvise, ALL, ALLOW },
	{ __NR_brk, ALL, ALLOW },
	{ __NR_membarrier, ALL, ALLOW },
	/* No memory becomes code. */
	{ __NR_mmap, ALL, CODE },
	{ __NR_mprotect, ALL, CODE },
	/* Itself and its time. */
	{ __NR_rt_sigaction, ALL, ALLOW },
	{ __NR_rt_sigprocmask, ALL, ALLOW },
	{ __NR_rt_sigreturn, ALL, ALLOW },
	{ __NR_sigaltstack, ALL, ALLOW },
	{ __NR_restart_syscall, ALL, ALLOW },
	{ __NR_exit, ALL, ALLOW },
	{ __NR_exit_group, ALL, ALLOW },
	{ __NR_getpid, ALL, ALLOW },
	{ __NR_gettid, ALL, ALLOW },
	{ __NR_getppid, ALL, ALLOW },
	{ __NR_getuid, ALL, ALLOW },
	{ __NR_geteuid, ALL, ALLOW },
	{ __NR_getgid, ALL, ALLOW },
	{ __NR_getegid, ALL, ALLOW },
	{ __NR_getresuid, ALL, ALLOW },
	{ __NR_getresgid, ALL, ALLOW },
	{ __NR_getgroups, ALL, ALLOW },
	{ __NR_gettimeofday, ALL, ALLOW },
	{ __NR_times, ALL, ALLOW },
	{ __NR_clock_getres, ALL, ALLOW },
	{ __NR_clock_nanosleep, ALL, ALLOW },
	{ __NR_nanosleep, ALL, ALLOW },
	{ __NR_getrusage, ALL, ALLOW },
	{ __NR_sysinfo, ALL, ALLOW },
	{ __NR_uname, ALL, ALLOW },
	{ __NR_getrandom, ALL, ALLOW },
	{ __NR_prlimit64, ALL, ALLOW },
	{ __NR_getrlimit, ALL, ALLOW },
	{ __NR_sched_yield, ALL, ALLOW },
	{ __NR_sched_getaffinity, ALL, ALLOW },
	{ __NR_sched_getparam, ALL, ALLOW },
	{ __NR_sched_getscheduler, ALL, ALLOW },
	{ __NR_getpriority, ALL, ALLOW },
	{ __NR_getcpu, ALL, ALLOW },
	{ __NR_set_robust_list, ALL, ALLOW },
	{ __NR_get_robust_list, ALL, ALLOW },
	{ __NR_rseq, ALL, ALLOW },
	{ __NR_timerfd_create, ALL, ALLOW },
	{ __NR_timerfd_settime, ALL, ALLOW },
	/* A process may end itself. */
	{ __NR_tgkill, ALL, OWN },
	/* Connections: of the answerer only those to the log. */
	{ __NR_socket, ALL, FAMILY },
	{ __NR_connect, ALL, CONNECT },
	/* The resolver's. */
	{ __NR_socketpair, SUPERVISOR | RESOLVER, ALLOW },
	{ __NR_sendmmsg, SUPERVISOR | RESOLVER, ALLOW },
	{ __NR_recvmmsg, SUPERVISOR | RESOLVER, ALLOW },
	{ __NR_bind, SUPERVISOR | RESOLVER, ALLOW },
	/* What starts and serves the others; also how they start, and enter their sandbox. */
	{ __NR_listen, SUPERVISOR, ALLOW },
	{ __NR_execve, SUPERVISOR, ALLOW },
	{ __NR_execveat, SUPERVISOR, ALLOW },
	{ __NR_wait4, SUPERVISOR, ALLOW },
	{ __NR_waitid, SUPERVISOR, ALLOW },
	{ __NR_kill, SUPERVISOR, ALLOW },
	{ __NR_prctl, SUPERVISOR, ALLOW },
	{ __NR_seccomp, SUPERVISOR, ALLOW },
	{ __NR_landlock_create_ruleset, SUPERVISOR, ALLOW },
	{ __NR_landlock_add_rule, SUPERVISOR, ALLOW },
	{ __NR_landlock_restrict_self, SUPERVISOR, ALLOW },
	{ __NR_capget, SUPERVISOR, ALLOW },
	{ __NR_capset, SUPERVISOR, ALLOW },
	{ __NR_setrlimit, SUPERVISOR, ALLOW },
	{ __NR_setpriority, SUPERVISOR, ALLOW },
	{ __NR_sched_setattr, SUPERVISOR, ALLOW },
	{ __NR_set_tid_address, SUPERVISOR, ALLOW },
	{ __NR_close_range, SUPERVISOR, ALLOW },
	{ __NR_umask, SUPERVISOR, ALLOW },
	{ __NR_mkdirat, SUPERVISOR, ALLOW },
	{ __NR_unlinkat, SUPERVISOR, ALLOW },
	{ __NR_renameat, SUPERVISOR, ALLOW },
	{ __NR_renameat2, SUPERVISOR, ALLOW },
	{ __NR_fchmod, SUPERVISOR, ALLOW },
	{ __NR_fchmodat, SUPERVISOR, ALLOW },
	{ __NR_fchown, SUPERVISOR, ALLOW },
	{ __NR_fchownat, SUPERVISOR, ALLOW },
	{ __NR_memfd_create, SUPERVISOR, ALLOW },
	{ __NR_setitimer, SUPERVISOR, ALLOW },
	{ __NR_fallocate, SUPERVISOR, ALLOW },
	{ __NR_sendfile, SUPERVISOR, ALLOW },
	{ __NR_copy_file_range, SUPERVISOR, ALLOW },
	{ __NR_signalfd4, SUPERVISOR, ALLOW },
	{ __NR_rt_sigtimedwait, SUPERVISOR, ALLOW },
	{ __NR_rt_sigsuspend, SUPERVISOR, ALLOW },
	{ __NR_setsid, SUPERVISOR, ALLOW },
	/* Not into new namespaces. */
	{ __NR_clone, SUPERVISOR, NO_NAMESPACE },
	/* Nobody's, but for who has taken over a process. */
	{ __NR_ptrace, ALL, KILL },
	{ __NR_process_vm_readv, ALL, KILL },
	{ __NR_process_vm_writev, ALL, KILL },
	{ __NR_kcmp, ALL, KILL },
	{ __NR_pidfd_getfd, ALL, KILL },
	{ __NR_bpf, ALL, KILL },
	{ __NR_perf_event_open, ALL, KILL },
	{ __NR_userfaultfd, ALL, KILL },
	{ __NR_io_uring_setup, ALL, KILL },
	{ __NR_io_uring_enter, ALL, KILL },
	{ __NR_io_uring_register, ALL, KILL },
	{ __NR_mount, ALL, KILL },
	{ __NR_umount2, ALL, KILL },
	{ __NR_pivot_root, ALL, KILL },
	{ __NR_chroot, ALL, KILL },
	{ __NR_move_mount, ALL, KILL },
	{ __NR_open_tree, ALL, KILL },
	{ __NR_fsopen, ALL, KILL },
	{ __NR_fsmount, ALL, KILL },
	{ __NR_fspick, ALL, KILL },
	{ __NR_mount_setattr, ALL, KILL },
	{ __NR_swapon, ALL, KILL },
	{ __NR_swapoff, ALL, KILL },
	{ __NR_kexec_load, ALL, KILL },
	{ __NR_kexec_file_load, ALL, KILL },
	{ __NR_init_module, ALL, KILL },
	{ __NR_finit_module, ALL, KILL },
	{ __NR_delete_module, ALL, KILL },
	{ __NR_reboot, ALL, KILL },
	{ __NR_setuid, ALL, KILL },
	{ __NR_setgid, ALL, KILL },
	{ __NR_setreuid, ALL, KILL },
	{ __NR_setregid, ALL, KILL },
	{ __NR_setresuid, ALL, KILL },
	{ __NR_setresgid, ALL, KILL },
	{ __NR_setfsuid, ALL, KILL },
	{ __NR_setfsgid, ALL, KILL },
	{ __NR_setgroups, ALL, KILL },
	{ __NR_unshare, ALL, KILL },
	{ __NR_setns, ALL, KILL },
	{ __NR_add_key, ALL, KILL },
	{ __NR_request_key, ALL, KILL },
	{ __NR_keyctl, ALL, KILL },
	{ __NR_acct, ALL, KILL },
	{ __NR_quotactl, ALL, KILL },
	{ __NR_open_by_handle_at, ALL, KILL },
	{ __NR_settimeofday, ALL, KILL },
	{ __NR_clock_settime, ALL, KILL },
	{ __NR_adjtimex, ALL, KILL },
	{ __NR_clock_adjtime, ALL, KILL },
	{ __NR_sethostname, ALL, KILL },
	{ __NR_setdomainname, ALL, KILL },
	{ __NR_personality, ALL, KILL },
	{ __NR_syslog, ALL, KILL },
	{ __NR_vhangup, ALL, KILL },
	{ __NR_execve, ANSWERER | RESOLVER, KILL },
	{ __NR_execveat, ANSWERER | RESOLVER, KILL },
};

# define LOW_WORD(n) (offsetof(struct seccomp_data, args[0]) + (size_t)8 * (n))
# define DENIED(e) (SECCOMP_RET_ERRNO | (e))

struct program {
	struct sock_filter *code;
	size_t n;
};

static void
put(struct program *p, unsigned code, size_t value, unsigned char yes, unsigned char no)
{
	p->code[p->n++] =
	    (struct sock_filter){ (uint16_t)code, yes, no, (uint32_t)value };
}

static void
put_end(struct program *p, uint32_t action)
{
	put(p, BPF_RET | BPF_K, action, 0, 0);
}

static void
put_load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

/* If what is loaded equals the value, this is what happens. */
static void
put_if(struct program *p, size_t value, uint32_t action)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	put_end(p, action);
}

static void
put_if_any_bit(struct program *p, size_t bits, uint32_t action)
{
	put(p, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
	put_end(p, action);
}

/* The kernel looks at no more than these of its "int" arguments, and of flags that are
 * longer none are above. */
static void
put_family(struct program *p, const struct sandbox *s)
{
	put_load(p, LOW_WORD(0));
	put_if(p, AF_PACKET, SECCOMP_RET_KILL_PROCESS);
	if (s->syslog || s->role != SANDBOX_ANSWERER)
		put_if(p, AF_UNIX, SECCOMP_RET_ALLOW);
	if (s->role != SANDBOX_ANSWERER) {
		put_if(p, AF_INET, SECCOMP_RET_ALLOW);
		put_if(p, AF_INET6, SECCOMP_RET_ALLOW);
	}
	/* getifaddrs(3) and name services ask the kernel so. */
	if (s->role == SANDBOX_SUPERVISOR)
		put_if(p, AF_NETLINK, SECCOMP_RET_ALLOW);
	put_end(p, DENIED(EAFNOSUPPORT));
}

static void
put_how(struct program *p, enum how how, const struct sandbox *s)
{
	switch (how) {
	case ALLOW:
		put_end(p, SECCOMP_RET_ALLOW);
		break;
	case KILL:
		put_end(p, SECCOMP_RET_KILL_PROCESS);
		break;
	case CODE:
		if (s->role != SANDBOX_SUPERVISOR) {
			put_load(p, LOW_WORD(2));
			put_if_any_bit(p, PROT_EXEC, DENIED(EACCES));
		}
		put_end(p, SECCOMP_RET_ALLOW);
		break;
	case OWN:
		if (s->role != SANDBOX_SUPERVISOR) {
			put_load(p, LOW_WORD(0));
			put_if(p, (size_t)getpid(), SECCOMP_RET_ALLOW);
			put_end(p, DENIED(EPERM));
		}
		put_end(p, SECCOMP_RET_ALLOW);
		break;
	case FAMILY:
		put_family(p, s);
		break;
	case CONNECT:
		put_end(p,
		    s->syslog || s->role != SANDBOX_ANSWERER ? SECCOMP_RET_ALLOW
							     : DENIED(ENOSYS));
		break;
	case NO_NAMESPACE:
		put_load(p, LOW_WORD(0));
		put_if_any_bit(p,
		    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
			CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
		    DENIED(EPERM));
		put_end(p, SECCOMP_RET_ALLOW);
		break;
	}
}

size_t
seccomp_program(const struct sandbox *s, struct sock_filter *program)
{
	struct program p = { program, 0 };

	put_load(&p, offsetof(struct seccomp_data, arch));
	put(&p, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	put_end(&p, SECCOMP_RET_KILL_PROCESS); /* the calls of another: other numbers */
	put_load(&p, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		size_t at = p.n;

		if ((calls[i].who & 1u << s->role) == 0)
			continue;
		put(&p, BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, 0, 0);
		put_how(&p, calls[i].how, s);
		p.code[at].jf = (uint8_t)(p.n - at - 1);
	}
	put_end(&p, DENIED(ENOSYS));
	return p.n;
}

int
seccomp_enter(const struct sandbox *s)
{
	struct sock_filter code[SECCOMP_PROGRAM_MAX];
	struct sock_fprog program = { .filter = code };

	program.len = (unsigned short)seccomp_program(s, code);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

#else

size_t
seccomp_program(const struct sandbox *s, struct sock_filter *program)
{
	(void)s;
	(void)program;
	return 0;
}

int
seccomp_enter(const struct sandbox *s)
{
	(void)s;
	errno = ENOSYS;
	return -1;
}

#endif
