#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>

#include "net/mss.h"
#include "tests/lib/pieces.h"
#include "tests/lib/vectors.h"

#define BYTES_MAX 4096
#define HEADER "\x13/multistream/1.0.0\n"

static const char *const noise[] = { "/noise" };
static const char *const tls_then_noise[] = { "/tls/1.0.0", "/noise" };

static int setup(void **state)
{
	*state = vectors_load("multistream.json");
	return 0;
}

static int teardown(void **state)
{
	json_decref(*state);
	return 0;
}

static void assert_bytes(const struct buf *b, const void *want, size_t n)
{
	assert_int_equal(b->len, n);
	assert_memory_equal(b->data, want, n);
}

/* Feeds to a new acceptor; what it sent stays in @out. */
static int accept_bytes(const void *p, size_t n, const char *const *protocols, size_t n_protocols,
			struct mss *m, size_t *used, struct buf *out)
{
	assert_int_equal(mss_init_acceptor(m, protocols, n_protocols, out), 0);
	return mss_feed(m, p, n, used, out, NULL);
}

static void recorded_tokens_are_written(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "tokens"), i, c) {
		struct buf out = BUF_INIT(0);
		uint8_t want[BYTES_MAX];
		size_t n = vectors_hex(c, "bytes", want, sizeof(want));

		assert_int_equal(mss_token(vectors_str(c, "text"), &out), 0);
		assert_bytes(&out, want, n);
		buf_deinit(&out);
	}
}

static void recorded_tokens_are_agreed_on(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "tokens"), i, c) {
		const char *text = vectors_str(c, "text");
		uint8_t in[BYTES_MAX] = HEADER;
		size_t n = strlen(HEADER), used;
		struct buf out = BUF_INIT(0);
		struct mss m;

		n += vectors_hex(c, "bytes", in + n, sizeof(in) - n);
		assert_int_equal(accept_bytes(in, n, &text, 1, &m, &used, &out), 0);
		assert_int_equal(m.state, MSS_AGREED);
		assert_ptr_equal(m.agreed, text);
		assert_int_equal(used, n);
		assert_bytes(&out, in, n);
		buf_deinit(&out);
	}
}

/* All that one side of the recorded exchange sent. */
static size_t recorded_side(json_t *root, const char *from, uint8_t *out)
{
	size_t n = 0, i;
	json_t *c;

	json_array_foreach (vectors_array(root, "exchange_na"), i, c)
		if (strcmp(vectors_str(c, "from"), from) == 0)
			n += vectors_hex(c, "bytes", out + n, BYTES_MAX - n);
	return n;
}

static void recorded_refusal_is_spoken_by_both_sides_however_it_is_cut(void **state)
{
	uint8_t dialer[BYTES_MAX], listener[BYTES_MAX];
	size_t n_dialer = recorded_side(*state, "dialer", dialer);
	size_t n_listener = recorded_side(*state, "listener", listener), used;
	struct buf out = BUF_INIT(0);
	struct mss m;

	for (size_t cut = 0; cut <= n_listener; cut++) {
		buf_reset(&out);
		assert_int_equal(mss_init_opener(&m, tls_then_noise, 2, &out), 0);
		assert_int_equal(mss_feed(&m, listener, cut, &used, &out, NULL), 0);
		assert_int_equal(used, cut);
		assert_int_equal(mss_feed(&m, listener + cut, n_listener - cut, &used, &out, NULL),
				 0);
		assert_int_equal(used, n_listener - cut);
		assert_string_equal(m.agreed, "/noise");
		assert_bytes(&out, dialer, n_dialer);
	}
	for (size_t cut = 0; cut <= n_dialer; cut++) {
		buf_reset(&out);
		assert_int_equal(accept_bytes(dialer, cut, noise, 1, &m, &used, &out), 0);
		assert_int_equal(used, cut);
		assert_int_equal(mss_feed(&m, dialer + cut, n_dialer - cut, &used, &out, NULL), 0);
		assert_int_equal(used, n_dialer - cut);
		assert_ptr_equal(m.agreed, noise[0]);
		assert_bytes(&out, listener, n_listener);
	}
	buf_deinit(&out);
}

static void bytes_behind_a_lazy_proposal_are_left_to_the_protocol(void **state)
{
	static const char *const ping[] = { "/ipfs/ping/1.0.0" };
	json_t *c = json_object_get(*state, "lazy_open_example");
	const size_t negotiation = 20 + 18, payload = 32;
	struct buf out = BUF_INIT(0), lazy = BUF_INIT(0);
	uint8_t in[BYTES_MAX];
	size_t n = vectors_hex(c, "bytes", in, sizeof(in));

	assert_int_equal(n, negotiation + payload);
	for (size_t cut = 0; cut <= n; cut++) {
		size_t first, second;
		struct mss m;

		buf_reset(&out);
		assert_int_equal(accept_bytes(in, cut, ping, 1, &m, &first, &out), 0);
		assert_int_equal(mss_feed(&m, in + cut, n - cut, &second, &out, NULL), 0);
		assert_int_equal(m.state, MSS_AGREED);
		assert_int_equal(first, cut < negotiation ? cut : negotiation);
		assert_int_equal(first + second, negotiation);
	}
	/* What we send when we open lazily is the same. */
	assert_int_equal(buf_append(&lazy, HEADER, strlen(HEADER)), 0);
	assert_int_equal(mss_token(ping[0], &lazy), 0);
	assert_bytes(&lazy, in, negotiation);
	buf_deinit(&lazy);
	buf_deinit(&out);
}

static void recorded_wrong_tokens_are_refused(void **state)
{
	json_t *c;
	size_t i;

	json_array_foreach (vectors_array(*state, "invalid"), i, c) {
		bool cut = strcmp(vectors_str(c, "note"), "truncated") == 0;
		uint8_t in[BYTES_MAX] = HEADER;
		size_t n = strlen(HEADER), used, token;
		struct buf out = BUF_INIT(0);
		struct mss m;

		token = vectors_hex(c, "bytes", in + n, sizeof(in) - n);
		assert_int_equal(accept_bytes(in + n, token, noise, 1, &m, &used, &out),
				 cut ? 0 : -EPROTO);
		assert_int_equal(m.state, MSS_RUNNING);
		assert_int_equal(accept_bytes(in, n + token, noise, 1, &m, &used, &out),
				 cut ? 0 : -EPROTO);
		assert_int_equal(m.state, MSS_RUNNING);
		buf_reset(&out);
		assert_int_equal(mss_init_opener(&m, noise, 1, &out), 0);
		assert_int_equal(mss_feed(&m, in, n + token, &used, &out, NULL), cut ? 0 : -EPROTO);
		assert_int_equal(m.state, MSS_RUNNING);
		buf_deinit(&out);
	}
}

/* A token of @length with its newline, behind the header. */
static size_t long_token(size_t length, uint8_t *out)
{
	size_t n = strlen(HEADER);

	memcpy(out, HEADER, n);
	out[n++] = (uint8_t)(length | 0x80);
	out[n++] = (uint8_t)(length >> 7);
	memset(out + n, 'x', length - 1);
	n += length - 1;
	out[n++] = '\n';
	return n;
}

static void the_longest_token_is_read_and_a_longer_one_refused_by_its_length(void **state)
{
	struct buf out = BUF_INIT(0);
	uint8_t in[BYTES_MAX];
	size_t n = long_token(MSS_TOKEN_MAX, in), used;
	struct mss m;

	assert_int_equal(accept_bytes(in, n, noise, 1, &m, &used, &out), 0);
	assert_int_equal(used, n);
	assert_bytes(&out, HEADER "\x03na\n", strlen(HEADER) + 4);
	long_token(MSS_TOKEN_MAX + 1, in);
	assert_int_equal(accept_bytes(in, strlen(HEADER) + 2, noise, 1, &m, &used, &out), -EPROTO);
	buf_deinit(&out);
}

static void a_length_of_three_bytes_is_refused_at_the_second(void **state)
{
	static const uint8_t in[] = HEADER "\x80\x80";
	const size_t n = strlen(HEADER) + 1;
	struct buf out = BUF_INIT(0);
	struct mss m;
	size_t used;

	assert_int_equal(accept_bytes(in, n, noise, 1, &m, &used, &out), 0);
	assert_int_equal(mss_feed(&m, in + n, 1, &used, &out, NULL), -EPROTO);
	buf_deinit(&out);
}

static void another_first_token_than_the_header_is_refused(void **state)
{
	static const char *const firsts[] = { "\x07/noise\n", "\x13/multistream/2.0.0\n",
					      "\x03na\n",     "\x14/multistream/1.0.0x\n",
					      "\x01\n",       "GET / HTTP/1.1\r\n\r\n" };
	struct buf out = BUF_INIT(0);
	struct mss m;
	size_t used;

	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		size_t n = strlen(firsts[i]);

		assert_int_equal(accept_bytes(firsts[i], n, noise, 1, &m, &used, &out), -EPROTO);
		assert_false(m.header_seen);
		assert_int_equal(mss_init_opener(&m, noise, 1, &out), 0);
		assert_int_equal(mss_feed(&m, (const uint8_t *)firsts[i], n, &used, &out, NULL),
				 -EPROTO);
	}
	buf_deinit(&out);
}

/* What decrypts with another secret may announce a token that never comes. */
static void a_first_token_is_refused_at_its_first_wrong_byte(void **state)
{
	struct buf out = BUF_INIT(0);
	struct mss m;
	size_t used;

	for (size_t i = 0; i < strlen(HEADER); i++) {
		uint8_t in[] = HEADER;

		assert_int_equal(accept_bytes(in, i, noise, 1, &m, &used, &out), 0);
		in[i]++;
		assert_int_equal(mss_feed(&m, in + i, 1, &used, &out, NULL), -EPROTO);
		assert_false(m.header_seen);
	}
	assert_int_equal(accept_bytes(HEADER, strlen(HEADER), noise, 1, &m, &used, &out), 0);
	assert_true(m.header_seen);
	buf_deinit(&out);
}

static void an_answer_to_another_proposal_is_refused(void **state)
{
	static const char in[] = HEADER "\x0b/tls/1.0.0\n";
	struct buf out = BUF_INIT(0);
	struct mss m;
	size_t used;

	assert_int_equal(mss_init_opener(&m, noise, 1, &out), 0);
	assert_int_equal(mss_feed(&m, (const uint8_t *)in, sizeof(in) - 1, &used, &out, NULL),
			 -EPROTO);
	assert_null(m.agreed);
	buf_deinit(&out);
}

static void the_opener_gives_up_when_all_is_refused(void **state)
{
	static const char in[] = HEADER "\x03na\n\x03na\n+surplus";
	struct buf out = BUF_INIT(0);
	struct mss m;
	size_t used;

	assert_int_equal(mss_init_opener(&m, tls_then_noise, 2, &out), 0);
	assert_int_equal(mss_feed(&m, (const uint8_t *)in, sizeof(in) - 1, &used, &out, NULL), 0);
	assert_int_equal(m.state, MSS_REFUSED);
	assert_int_equal(used, strlen(HEADER) + 8);
	assert_null(m.agreed);
	assert_bytes(&out, HEADER "\x0b/tls/1.0.0\n\x07/noise\n", strlen(HEADER) + 12 + 8);
	buf_deinit(&out);
}

static void sixteen_proposals_are_answered_and_the_next_is_refused(void **state)
{
	struct buf in = BUF_INIT(0), out = BUF_INIT(0);
	size_t used, i;
	struct mss m;

	assert_int_equal(buf_str(&in, HEADER), 0);
	for (i = 1; i < MSS_PROPOSALS_MAX; i++)
		assert_int_equal(mss_token("/unknown", &in), 0);
	assert_int_equal(accept_bytes(in.data, in.len, noise, 1, &m, &used, &out), 0);
	assert_int_equal(out.len, strlen(HEADER) + 4 * (MSS_PROPOSALS_MAX - 1));
	/* The last one may still be the right one. */
	buf_reset(&in);
	assert_int_equal(mss_token("/unknown", &in), 0);
	assert_int_equal(mss_feed(&m, in.data, in.len, &used, &out, NULL), 0);
	buf_reset(&in);
	assert_int_equal(mss_token("/noise", &in), 0);
	assert_int_equal(mss_feed(&m, in.data, in.len, &used, &out, NULL), -EPROTO);
	assert_int_equal(m.state, MSS_RUNNING);
	buf_deinit(&in);
	buf_deinit(&out);
}

static void parts_of_a_name_and_ls_are_refused(void **state)
{
	static const char in[] = HEADER "\x06/nois\n\x08/noise/\n\x03ls\n\x08/noise\0\n";
	struct buf out = BUF_INIT(0);
	struct mss m;
	size_t used;

	assert_int_equal(accept_bytes(in, sizeof(in) - 1, noise, 1, &m, &used, &out), 0);
	assert_int_equal(m.state, MSS_RUNNING);
	assert_bytes(&out, HEADER "\x03na\n\x03na\n\x03na\n\x03na\n", strlen(HEADER) + 16);
	buf_deinit(&out);
}

static void a_name_that_is_too_long_is_not_written(void **state)
{
	struct buf out = BUF_INIT(0);
	char name[MSS_TOKEN_MAX + 1];

	memset(name, 'x', sizeof(name));
	name[MSS_TOKEN_MAX] = '\0';
	assert_int_equal(mss_token(name, &out), -EINVAL);
	assert_int_equal(out.len, 0);
	name[MSS_TOKEN_MAX - 1] = '\0';
	assert_int_equal(mss_token(name, &out), 0);
	buf_deinit(&out);
}

/* Moves some of what one side wrote to the other. */
static void pass(struct buf *from, size_t *at, struct mss *to, struct buf *answers, uint32_t *seed)
{
	size_t used, part;

	if (*at == from->len)
		return;
	part = pieces_next(seed, from->len - *at);
	assert_int_equal(mss_feed(to, from->data + *at, part, &used, answers, NULL), 0);
	assert_int_equal(used, part);
	*at += part;
}

static void two_ends_agree_through_random_pieces(void **state)
{
	static const char *const opener[] = { "/a", "/b", "/c/1.0.0", "/d" };
	static const char *const acceptor[] = { "/x", "/c/1.0.0", "/d" };

	for (uint32_t round = 1; round <= 200; round++) {
		struct buf to_b = BUF_INIT(0), to_a = BUF_INIT(0);
		size_t at_a = 0, at_b = 0;
		uint32_t seed = round;
		struct mss a, b;

		assert_int_equal(mss_init_opener(&a, opener, 4, &to_b), 0);
		assert_int_equal(mss_init_acceptor(&b, acceptor, 3, &to_a), 0);
		for (int i = 0; i < 1000 && a.state == MSS_RUNNING; i++) {
			pass(&to_b, &at_b, &b, &to_a, &seed);
			pass(&to_a, &at_a, &a, &to_b, &seed);
		}
		assert_int_equal(a.state, MSS_AGREED);
		assert_int_equal(b.state, MSS_AGREED);
		assert_ptr_equal(a.agreed, opener[2]);
		assert_ptr_equal(b.agreed, acceptor[1]);
		buf_deinit(&to_a);
		buf_deinit(&to_b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_tokens_are_written),
		cmocka_unit_test(recorded_tokens_are_agreed_on),
		cmocka_unit_test(recorded_refusal_is_spoken_by_both_sides_however_it_is_cut),
		cmocka_unit_test(bytes_behind_a_lazy_proposal_are_left_to_the_protocol),
		cmocka_unit_test(recorded_wrong_tokens_are_refused),
		cmocka_unit_test(the_longest_token_is_read_and_a_longer_one_refused_by_its_length),
		cmocka_unit_test(a_length_of_three_bytes_is_refused_at_the_second),
		cmocka_unit_test(another_first_token_than_the_header_is_refused),
		cmocka_unit_test(a_first_token_is_refused_at_its_first_wrong_byte),
		cmocka_unit_test(an_answer_to_another_proposal_is_refused),
		cmocka_unit_test(the_opener_gives_up_when_all_is_refused),
		cmocka_unit_test(sixteen_proposals_are_answered_and_the_next_is_refused),
		cmocka_unit_test(parts_of_a_name_and_ls_are_refused),
		cmocka_unit_test(a_name_that_is_too_long_is_not_written),
		cmocka_unit_test(two_ends_agree_through_random_pieces),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
