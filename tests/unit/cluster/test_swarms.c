#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/swarms.h"

/* ---- our Kubo and the loop's time, played by the test ---- */

struct kubo_call {
	unsigned kubo, address; /* "2.1": the Kubo of member 2, its address 1 */
	kubo_done done;
	void *arg;
	bool open, cancelled;
};

static struct kubo_call calls[256];
static size_t n_calls;
static int refusal; /* of the next call alone */
static uint64_t timer_ms;
static uv_timer_t *timer;
static uv_timer_cb timer_cb;

static struct peerid peer(unsigned i)
{
	const uint8_t key[32] = { (uint8_t)i, (uint8_t)(i >> 8) };
	struct peerid id;

	peerid_from_ed25519(key, &id);
	return id;
}

static unsigned number(const struct peerid *id)
{
	const uint8_t *key = id->bytes + id->len - 32;

	return key[0] + key[1] * 256u;
}

int kubo_swarm_connect(struct kubo *k, const struct multiaddr *addr, kubo_done done, void *arg,
		       struct kubo_call **ret_call)
{
	struct kubo_call *c = &calls[n_calls];
	struct peerid id;
	uint8_t ip[16];
	int r = refusal;

	refusal = 0;
	if (r < 0)
		return r;
	assert_true(n_calls++ < 256);
	assert_int_equal(0, multiaddr_peerid(addr, &id));
	assert_int_equal(4, multiaddr_ip(addr, ip));
	*c = (struct kubo_call){
		.kubo = number(&id), .address = ip[3], .done = done, .arg = arg, .open = true
	};
	*ret_call = c;
	return 0;
}

void kubo_cancel(struct kubo_call *c)
{
	assert_true(c->open);
	c->cancelled = true;
}

static void end(size_t call, int status)
{
	struct err e = { 0 };

	assert_true(call < n_calls && calls[call].open);
	calls[call].open = false;
	if (status < 0)
		err_set(&e, status, "not reached");
	calls[call].done(calls[call].arg, status, status < 0 ? &e : NULL);
}

/* "2.0 3.0 ": what is being connected to. */
static void assert_open(const char *expected)
{
	char text[256] = "";

	for (size_t i = 0; i < n_calls; i++) {
		size_t at = strlen(text);

		if (calls[i].open)
			snprintf(text + at, sizeof(text) - at, "%u.%u ", calls[i].kubo,
				 calls[i].address);
	}
	assert_string_equal(expected, text);
}

int __wrap_uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);

int __wrap_uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	timer = t;
	timer_cb = cb;
	timer_ms = timeout;
	return 0;
}

/* ---- swarms ---- */

struct fix {
	uv_loop_t loop;
	struct swarms *s;
	unsigned asked;
	bool closed;
};

static void on_ask(void *arg)
{
	((struct fix *)arg)->asked++;
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));
	struct swarms_options opt = { .delay_ms = 30000, .up = true, .ask = on_ask, .arg = f };

	assert_non_null(f);
	n_calls = 0;
	refusal = 0;
	assert_int_equal(0, uv_loop_init(&f->loop));
	opt.loop = &f->loop;
	assert_int_equal(0, swarms_new(&opt, &f->s, NULL));
	*state = f;
	return 0;
}

static void on_closed(void *arg)
{
	((struct fix *)arg)->closed = true;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	if (f->s)
		swarms_close(f->s, on_closed, f);
	for (size_t i = 0; i < n_calls; i++)
		if (calls[i].open)
			end(i, -ECANCELED);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	assert_int_equal(0, uv_loop_close(&f->loop));
	free(f);
	return 0;
}

static void pass_the_delay(void)
{
	assert_int_equal(30000, timer_ms);
	timer_cb(timer);
}

static struct multiaddr address(unsigned kubo, unsigned i)
{
	struct peerid id = peer(kubo);
	struct multiaddr a;
	char text[64];

	snprintf(text, sizeof(text), "/ip4/10.0.0.%u/tcp/4001", i);
	assert_int_equal(0, multiaddr_parse(text, strlen(text), &a, NULL));
	assert_int_equal(0, multiaddr_add_peerid(&a, &id));
	return a;
}

/* Member @i says that its Kubo is the one of number @kubo, with @n addresses. */
static void say(struct fix *f, unsigned i, unsigned kubo, size_t n)
{
	struct peerid member = peer(i);
	struct multiaddr v[SWARMS_ADDRESSES_MAX + 4];
	const struct rpc_ipfs_id ipfs = { .peer = peer(kubo), .addresses = v, .n_addresses = n };

	assert_true(n <= sizeof(v) / sizeof(v[0]));
	for (unsigned k = 0; k < n; k++)
		v[k] = address(kubo, k);
	swarms_said(f->s, &member, &ipfs);
}

static void say_away(struct fix *f, unsigned i, unsigned kubo)
{
	struct peerid member = peer(i);
	struct multiaddr a = address(kubo, 0); /* as it was known before */
	const struct rpc_ipfs_id ipfs = { .peer = peer(kubo),
					  .addresses = &a,
					  .n_addresses = 1,
					  .error = { .p = "refused", .n = 7 } };

	swarms_said(f->s, &member, &ipfs);
}

static void gone(struct fix *f, unsigned i)
{
	struct peerid member = peer(i);

	swarms_gone(f->s, &member);
}

/* ---- tests ---- */

static void after_the_delay_all_members_are_asked_and_connected_to(void **state)
{
	struct fix *f = *state;

	say(f, 1, 101, 1);
	assert_open("");
	assert_int_equal(0, f->asked);
	pass_the_delay();
	assert_int_equal(1, f->asked);
	say(f, 1, 101, 1);
	say(f, 2, 102, 1);
	assert_open("101.0 102.0 ");
}

static void each_is_connected_to_once_while_it_is_there(void **state)
{
	struct fix *f = *state;

	pass_the_delay();
	for (int i = 0; i < 3; i++)
		say(f, 1, 101, 1);
	assert_open("101.0 ");
	end(0, 0);
	say(f, 1, 101, 1);
	assert_int_equal(1, n_calls);
	gone(f, 1);
	say(f, 1, 101, 1);
	assert_open("101.0 ");
	assert_int_equal(2, n_calls);
}

static void addresses_are_tried_until_one_is_reached(void **state)
{
	struct fix *f = *state;

	pass_the_delay();
	say(f, 1, 101, 4);
	end(0, -EREMOTEIO);
	assert_open("101.1 ");
	end(1, -EREMOTEIO);
	assert_open("101.2 ");
	end(2, 0);
	assert_open("");
}

static void where_none_is_reached_it_is_left_at_that(void **state)
{
	struct fix *f = *state;

	pass_the_delay();
	say(f, 1, 101, 2);
	end(0, -EREMOTEIO);
	end(1, -ETIMEDOUT);
	assert_open("");
	say(f, 1, 101, 2);
	assert_int_equal(2, n_calls);
}

static void only_so_many_addresses_are_tried(void **state)
{
	struct fix *f = *state;

	pass_the_delay();
	say(f, 1, 101, SWARMS_ADDRESSES_MAX + 4);
	for (size_t i = 0; i < SWARMS_ADDRESSES_MAX; i++)
		end(i, -EREMOTEIO);
	assert_int_equal(SWARMS_ADDRESSES_MAX, n_calls);
	assert_open("");
}

static void an_address_of_another_kubo_is_not_tried(void **state)
{
	struct fix *f = *state;
	struct peerid member = peer(1);
	struct multiaddr v[] = { address(102, 0), address(101, 1), address(101, 2) };
	const struct rpc_ipfs_id ipfs = { .peer = peer(101), .addresses = v, .n_addresses = 3 };

	pass_the_delay();
	multiaddr_cut_peerid(&v[1]); /* anybody's */
	swarms_said(f->s, &member, &ipfs);
	assert_open("101.2 ");
}

static void an_address_that_cannot_be_asked_for_is_passed_over(void **state)
{
	struct fix *f = *state;

	pass_the_delay();
	refusal = -ENOMEM;
	say(f, 1, 101, 2);
	assert_open("101.1 ");
	refusal = -ENOMEM;
	say(f, 2, 102, 1);
	assert_open("101.1 ");
}

static void some_are_connected_to_at_a_time_and_others_before_a_second_address(void **state)
{
	struct fix *f = *state;

	pass_the_delay();
	for (unsigned i = 1; i <= SWARMS_CALLS_MAX + 2; i++)
		say(f, i, 100 + i, 2);
	assert_int_equal(4, SWARMS_CALLS_MAX);
	assert_open("101.0 102.0 103.0 104.0 ");
	end(0, -EREMOTEIO);
	assert_open("102.0 103.0 104.0 105.0 ");
	end(1, 0);
	assert_open("103.0 104.0 105.0 106.0 ");
	end(2, 0);
	assert_open("104.0 105.0 106.0 101.1 ");
}

static void nothing_is_connected_to_while_our_kubo_is_away(void **state)
{
	struct fix *f = *state;

	pass_the_delay();
	say(f, 1, 101, 2);
	end(0, 0);
	say(f, 2, 102, 2);
	swarms_kubo(f->s, false);
	assert_true(calls[1].cancelled);
	end(1, -ECANCELED);
	say(f, 1, 101, 2);
	say(f, 3, 103, 2);
	assert_open("");
	assert_int_equal(1, f->asked);
	swarms_kubo(f->s, true); /* it has forgotten all of them */
	assert_int_equal(2, f->asked);
	say(f, 1, 101, 2);
	say(f, 2, 102, 2);
	say(f, 3, 103, 2);
	assert_open("101.0 102.0 103.0 ");
}

static void the_delay_can_be_over_before_our_kubo_is_there(void **state)
{
	struct fix *f = *state;

	swarms_kubo(f->s, false);
	pass_the_delay();
	assert_int_equal(0, f->asked);
	swarms_kubo(f->s, true);
	assert_int_equal(1, f->asked);
	say(f, 1, 101, 1);
	assert_open("101.0 ");
}

static void our_kubo_may_come_and_go_before_the_delay_is_over(void **state)
{
	struct fix *f = *state;

	swarms_kubo(f->s, false);
	swarms_kubo(f->s, true);
	assert_int_equal(0, f->asked);
	say(f, 1, 101, 1);
	assert_open("");
}

static void the_kubo_of_a_member_is_connected_to_again_when_it_is_back(void **state)
{
	struct fix *f = *state;

	pass_the_delay();
	say(f, 1, 101, 2);
	end(0, 0);
	say_away(f, 1, 101);
	assert_open("");
	say(f, 1, 101, 2);
	assert_open("101.0 ");
	say_away(f, 1, 101); /* while it is being connected to */
	assert_true(calls[1].cancelled);
	end(1, -ECANCELED);
	assert_open("");
	say_away(f, 2, 102); /* never seen before */
	assert_open("");
}

static void another_kubo_of_a_member_is_connected_to(void **state)
{
	struct fix *f = *state;

	pass_the_delay();
	say(f, 1, 101, 1);
	end(0, 0);
	say(f, 1, 102, 1);
	assert_open("102.0 ");
	end(1, 0);
	say(f, 1, 103, 0); /* which does not say where it is */
	say(f, 1, 102, 1);
	assert_open("102.0 ");
}

static void one_that_goes_makes_room_for_others(void **state)
{
	struct fix *f = *state;

	pass_the_delay();
	for (unsigned i = 1; i <= SWARMS_CALLS_MAX + 1; i++)
		say(f, i, 100 + i, 2);
	gone(f, 2);
	gone(f, 2);
	assert_true(calls[1].cancelled);
	assert_open("101.0 102.0 103.0 104.0 ");
	end(1, -ECANCELED);
	assert_open("101.0 103.0 104.0 105.0 ");
}

static void closing_waits_for_the_calls_and_begins_none(void **state)
{
	struct fix *f = *state;
	struct swarms *s = f->s;

	pass_the_delay();
	for (unsigned i = 1; i <= SWARMS_CALLS_MAX + 1; i++)
		say(f, i, 100 + i, 2);
	swarms_close(s, on_closed, f);
	f->s = NULL;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_false(f->closed);
	for (size_t i = 0; i < SWARMS_CALLS_MAX; i++) {
		assert_true(calls[i].cancelled);
		end(i, -ECANCELED);
	}
	assert_int_equal(SWARMS_CALLS_MAX, n_calls);
	assert_true(f->closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(after_the_delay_all_members_are_asked_and_connected_to),
		TEST(each_is_connected_to_once_while_it_is_there),
		TEST(addresses_are_tried_until_one_is_reached),
		TEST(where_none_is_reached_it_is_left_at_that),
		TEST(only_so_many_addresses_are_tried),
		TEST(an_address_of_another_kubo_is_not_tried),
		TEST(an_address_that_cannot_be_asked_for_is_passed_over),
		TEST(some_are_connected_to_at_a_time_and_others_before_a_second_address),
		TEST(nothing_is_connected_to_while_our_kubo_is_away),
		TEST(the_delay_can_be_over_before_our_kubo_is_there),
		TEST(our_kubo_may_come_and_go_before_the_delay_is_over),
		TEST(the_kubo_of_a_member_is_connected_to_again_when_it_is_back),
		TEST(another_kubo_of_a_member_is_connected_to),
		TEST(one_that_goes_makes_room_for_others),
		TEST(closing_waits_for_the_calls_and_begins_none),
	};

	return cmocka_run_group_tests_name("swarms", tests, NULL, NULL);
}
