class GreetingsController < ApplicationController
  def show
    @dyno = ENV["DYNO"]
  end
end
