require "json"
require_relative "akashi_context"

if ARGV == ["vectors"]
  signer = AkashiContext::Signer.new("akctx_shop-1_#{"42" * 32}")
  [
    [{ user_id: "山田 太郎 <taro@example.jp>", session_id: "s/1", client_ip: "203.0.113.9", request_id: "r-1",
       api_endpoint: "POST /orders", application_version: "1.2.3" }, "shop/shop_app/0002b2d8c6a5f640"],
    [{ user_id: "42" }, "\"My Shop\"/shop_app/0002b2d8c6a5f640"]
  ].each do |given, audience|
    puts signer.values(AkashiContext::FIELDS.keys.map { |name| given.fetch(name, "") }, 1_700_000_030, audience).last
  end
  exit
end

require "active_record"
ActiveRecord::Base.establish_connection(ENV.fetch("DATABASE_URL"))
AkashiContext.carry(ENV.fetch("SHOP_CONTEXT_KEY"))
WHO = "select akashi_auth.context_application(), akashi_auth.context_user()".freeze
connection = ActiveRecord::Base.connection

AkashiContext.with(user_id: "taro", client_ip: "203.0.113.9") do
  ActiveRecord::Base.transaction do
    connection.execute("insert into public.orders (item) values ('ruby')")
    puts connection.select_rows(WHO).first.to_json
  end
end
ActiveRecord::Base.transaction { raise "a context is left" unless connection.select_rows(WHO).first == [nil, nil] }
