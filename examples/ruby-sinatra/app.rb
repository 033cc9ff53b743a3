require "bcrypt"
require "json"
require "sinatra/base"

class App < Sinatra::Base
  set :host_authorization, permitted_hosts: []

  get "/" do
    erb :greeting
  end

  get "/password" do
    BCrypt::Password.create("secret").is_password?("secret").to_s
  end

  get "/health" do
    content_type :json
    { rack_env: ENV["RACK_ENV"], lang: Encoding.default_external }.to_json
  end
end
