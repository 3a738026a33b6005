# Signs who acts in each transaction: docs/request-context.md.
require "openssl"

module AkashiContext
  LIFETIME_S = 30
  # field => [is a name, longest]
  FIELDS = {
    user_id: [true, 255], session_id: [true, 255],
    subject: [true, 255], client_ip: [false, 64],
    user_agent: [false, 512], request_id: [false, 128],
    trace_id: [false, 128], correlation_id: [false, 128],
    api_endpoint: [false, 512], application_version: [false, 128],
    tenant_id: [true, 128]
  }.freeze
  SET = "select akashi_auth.set_context($1)".freeze
  SERVER = "select extract(epoch from clock_timestamp())::float8, akashi_auth.context_audience()".freeze

  # Everything in the block acts for this actor: AkashiContext.with(user_id: 42) { … }
  def self.with(**fields)
    unknown = fields.keys - FIELDS.keys
    raise ArgumentError, "an actor has no #{unknown.join(", ")}" unless unknown.empty?
    before = Thread.current[:akashi_actor]
    Thread.current[:akashi_actor] = FIELDS.map { |name, (is_name, longest)| fit(name, fields[name].to_s, is_name, longest) }
    yield
  ensure
    Thread.current[:akashi_actor] = before
  end

  def self.fit(name, value, is_name, longest)
    text = value.encode("UTF-8")
    return text.scrub("\ufffd").gsub(/[\x00-\x1f\x7f]/, "\ufffd")[0, longest] unless is_name
    raise ArgumentError, "#{name} of the actor is not valid" if text.length > longest || !text.valid_encoding? || text.match?(/[\x00-\x1f\x7f]/)
    text
  end
  private_class_method :fit

  class Signer
    def initialize(key)
      match = /\Aakctx_([a-z0-9_-]+)_([0-9a-f]{64})\z/.match(key.strip) or raise ArgumentError, "the context key is not valid"
      @id, @secret = match[1], [match[2]].pack("H*")
      @known = ObjectSpace::WeakMap.new
    end

    def values(fields, expires, audience)
      claims = [*fields, expires.to_s, @id]
      signed = ["akashi-context/1", *claims, audience].join("\x1f")
      [*claims, OpenSSL::HMAC.hexdigest("SHA256", @secret, signed)]
    end

    # Gives the open transaction of a PG::Connection its context.
    def begin(connection)
      fields = Thread.current[:akashi_actor] or return
      @known[connection] ||= connection.exec(SERVER).values.first.then { |time, audience| [time.to_f - Time.now.to_f, audience] }
      ahead, audience = @known[connection]
      context = values(fields, (Time.now.to_f + ahead).to_i + LIFETIME_S, audience)
      connection.exec_params(SET, [PG::TextEncoder::Array.new.encode(context)])
    rescue StandardError
      # Perhaps it is another server than before; the next transaction looks again.
      @known[connection] = nil
      raise
    end
  end

  # Every transaction of ActiveRecord carries the context: AkashiContext.carry(key), once. Statements outside of a
  # transaction carry none: put them into one.
  def self.carry(key)
    signer = Signer.new(key)
    ActiveRecord::ConnectionAdapters::PostgreSQLAdapter.prepend(Module.new do
      define_method(:begin_db_transaction) { super().tap { signer.begin(raw_connection) } }
      define_method(:begin_isolated_db_transaction) { |isolation| super(isolation).tap { signer.begin(raw_connection) } }
    end)
  end
end
